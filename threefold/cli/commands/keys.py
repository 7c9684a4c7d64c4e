"""The key that signs here, and the keys of others that are trusted."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console, json_option, memory, print_json, table
from threefold.errors import NotFound
from threefold.store import signing


@click.group()
def command() -> None:
    """Keys: models and checkpoints are signed with the store's own, and verified against all that are trusted."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The keys that may vouch for something here."""
    found = signing.trusted(memory())
    if as_json:
        print_json(found)
        return
    table("", ("name", "id"), ((one.name, one.id) for one in found), empty="none yet; the first signature makes one")


@command.command()
@click.argument("name", default=signing.OWN)
def export(name: str) -> None:
    """Print the public half of the store's own key, or of the one trusted as NAME, in PEM."""
    store = memory()
    keys = {key.name: key for key in signing.trusted(store)} | {signing.OWN: signing.own_public(store)}
    if name not in keys:
        raise NotFound(f"no key is called {name!r}", "threefold keys", f"there are: {', '.join(keys)}")
    click.echo(keys[name].pem, nl=False)


@command.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def trust(name: str, file: Path) -> None:
    """Let the public key in FILE vouch for models and checkpoints, under NAME."""
    key = signing.trust(memory(), name, file.read_bytes())
    console.print(f"[green]✓[/] key {key.id[:12]} is trusted as {name}; undo: threefold keys distrust {name}")


@command.command()
@click.argument("name")
def distrust(name: str) -> None:
    """Trust a key no longer."""
    key = signing.distrust(memory(), name)
    console.print(f"[green]✓[/] key {key.id[:12]} ({name}) vouches for nothing any more")
