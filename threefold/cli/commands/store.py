"""Look after the memory: measure, check, clear, back up, restore, move and upgrade it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from threefold.cli.printing import console, json_option, print_json, size, table
from threefold.design.settings import value_of
from threefold.errors import Conflict, StoreError
from threefold.loop.project import parts, surroundings
from threefold.store import Store, schema
from threefold.store.database import without_secrets
from threefold.store.objects import open_objects

Progress = Callable[[str, int, int], None]


class Place:
    """Where the store is that a command is about: the folder, and the address of the catalogue where it lies elsewhere."""

    def __init__(self, start: Path, folder: Path | None) -> None:
        root, self.canvas = surroundings(start)
        self.root = folder.resolve() if folder else root / value_of("store", self.canvas)
        self.parts = parts(self.canvas, folder)

    def days(self, setting: str) -> timedelta:
        """A setting that counts days."""
        return timedelta(days=int(value_of(setting, self.canvas)))

    @contextmanager
    def opened(self, *, migrate: bool | None = None) -> Iterator[Store]:
        """The store, which has to be there already: looking after a memory does not make one."""
        if self.parts["url"] is None and not (self.root / "catalogue.db").is_file():
            raise StoreError(
                "there is no store", str(self.root), "name its folder with --store, or begin: threefold run"
            )
        store = Store.open(self.root, **self.parts, migrate=migrate)
        store.actor = value_of("actor", self.canvas)
        try:
            yield store
        finally:
            store.close()


@click.group()
@click.option(
    "--store", "folder", type=click.Path(path_type=Path, file_okay=False), help="Its folder; default: the project's."
)
@click.pass_context
def command(context: click.Context, folder: Path | None) -> None:
    """The one memory: runs, models, releases, events and all the bytes they refer to."""
    context.obj = Place(context.obj, folder)


@command.command()
@json_option
@click.pass_obj
def info(place: Place, as_json: bool) -> None:
    """Sizes, rows, schema, and where everything lies."""
    from threefold.store.info import look

    with place.opened(migrate=False) as store, _progress() as progress:
        said = look(store, progress)
    if as_json:
        print_json(said)
        return
    rows = [
        ("folder", said.folder, size(said.log_bytes) + " of log to ingest"),
        ("catalogue", said.catalogue, f"{size(said.catalogue_bytes)}, schema {said.schema}"),
        ("objects", said.objects, f"{size(said.object_bytes)} in {said.object_count}"),
    ]
    table("", ("", "where", "holds"), rows, empty="")
    filled = sorted(((name, rows) for name, rows in said.rows.items() if rows), key=lambda row: -row[1])
    table("", ("table", ">rows"), filled, empty="")


@command.command()
@click.option("--deep", is_flag=True, help="Read every object and compare it with its digest.")
@json_option
@click.pass_obj
def check(place: Place, deep: bool, as_json: bool) -> None:
    """Is it whole? The chain of events, every object that is needed, every reference; exit code 1 when not."""
    from threefold.store.check import check as look

    with place.opened() as store, _progress() as progress:
        said = look(store, deep=deep, progress=progress)
    if as_json:
        print_json(said)
    else:
        rows = [(one.what, one.where, one.do) for one in said.findings]
        unused = f", {said.unused} that nothing needs (see: threefold store gc)" if said.unused else ""
        how = "read and compared" if deep else "there and of their size"
        table("", ("finding", "where", "do"), rows, empty="[green]✓[/] the store is whole")
        count = f"{said.objects}" if said.sound == said.objects else f"{said.sound} of {said.objects}"
        console.print(f"{said.events} events, {count} objects {how}, {size(said.size_bytes)}{unused}")
    if said.findings:
        raise click.exceptions.Exit(1)


@command.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@json_option
@click.pass_obj
def gc(place: Place, dry_run: bool, as_json: bool) -> None:
    """Remove what nothing refers to, and what was deleted longer ago than grace_days; never what is under hold.

    Safe beside everything that writes, and it can be stopped at any moment.
    """
    from threefold.store.gc import collect

    with place.opened() as store, _progress() as progress:
        said = collect(
            store, grace=place.days("grace_days"), unused=place.days("unused_days"), dry_run=dry_run, progress=progress
        )
    if as_json:
        print_json(said)
        return
    would = "would be" if dry_run else "were"
    for subject in said.purged:
        console.print(f"  {subject}")
    for subject in said.held:
        console.print(f"  {subject}: stays, as it is held or a version needs it")
    console.print(f"{len(said.purged)} deleted things {would} purged")
    console.print(f"{said.removed} objects {would} removed, {size(said.removed_bytes)}; {said.kept} are needed")
    if said.young:
        console.print(f"{said.young} objects that nothing refers to are younger than unused_days, and stay")


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_obj
def backup(place: Place, file: Path, as_json: bool) -> None:
    """Write all of the store into one FILE, while others work with it. The file holds the store's key: keep it safe."""
    from threefold.store.backup import backup as write

    with place.opened() as store, _progress() as progress:
        said = write(store, file, progress=progress)
    if as_json:
        print_json(said)
        return
    console.print(f"{sum(said.rows.values())} rows, {said.objects} objects: {size(file.stat().st_size)} in {file}")
    if said.missing:
        console.print(
            f"[yellow]{len(said.missing)} objects are missing from the store itself[/]: threefold store check"
        )


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Put it in the place of a store that is there; the old one stays aside.")
@json_option
@click.pass_obj
def restore(place: Place, file: Path, replace: bool, as_json: bool) -> None:
    """Lay a store out from the FILE of a backup; all of it is verified first. Stop what works with the store before."""
    from threefold.store.restore import restore as lay_out

    with _progress() as progress:
        said = lay_out(file, place.root, **place.parts, replace=replace, progress=progress)
    if as_json:
        print_json(said)
        return
    console.print(f"{sum(said.rows.values())} rows and {said.objects} objects, as of {said.created_at[:19]} UTC")
    console.print(f"restored to {place.root}")


@command.command()
@click.option("--catalogue", metavar="URL", help="An empty database for the catalogue; 'sqlite': the store's folder.")
@click.option(
    "--objects",
    metavar="URL",
    help="Where the objects go: a folder, seen from that of the store, or s3://, gs://, az://.",
)
@json_option
@click.pass_obj
def move(place: Place, catalogue: str | None, objects: str | None, as_json: bool) -> None:
    """Move catalogue or objects elsewhere, and say which setting to write. Call it again when it was interrupted."""
    from threefold.store.move import move as carry

    if not catalogue and not objects:
        raise Conflict(
            "nothing was named to move", "threefold store move", "say --catalogue URL, --objects URL, or both"
        )
    address = f"sqlite:///{place.root / 'catalogue.db'}" if catalogue == "sqlite" else catalogue
    with place.opened() as store, _progress() as progress:
        home = open_objects(objects, place.root) if objects else None
        said = carry(store, catalogue=address, objects=home, progress=progress)
    home_again = catalogue == "sqlite"
    settings = {"catalogue": "" if home_again else without_secrets(catalogue)} if catalogue else {}
    settings |= {"objects": objects} if objects else {}
    if as_json:
        print_json({"moved": said, "settings": settings})
        return
    if catalogue:
        console.print(f"{sum(said.rows.values())} rows moved and compared one by one")
    if objects:
        console.print(
            f"{said.object_count} objects, {size(said.object_bytes)}, are in {home.address if home else ''}",
            soft_wrap=True,
        )
    inside = ", ".join(f"{name}: {value or repr('')}" for name, value in settings.items())
    console.print("write this into threefold.yaml, or set it in the environment; then start everything again:")
    console.print(f"  settings: {{{inside}}}", soft_wrap=True)
    for name, value in settings.items():
        hint = "    with its password, which is safer here than in a file" if "***" in value else ""
        console.print(f"  THREEFOLD_{name.upper()}={value}{hint}", soft_wrap=True)


@command.command()
@json_option
@click.pass_obj
def upgrade(place: Place, as_json: bool) -> None:
    """Bring the catalogue to the newest schema; a catalogue in SQLite is copied before."""
    from threefold.store.upgrade import upgrade as migrate

    with place.opened(migrate=False) as store:
        before = store.revision()
        copy = migrate(store, before) if before != schema.HEAD else None
    if as_json:
        print_json({"from": before, "to": schema.HEAD, "copy": copy})
        return
    if before == schema.HEAD:
        console.print(f"the catalogue has the newest schema already: {before}")
        return
    console.print(f"from schema {before} to {schema.HEAD}")
    if copy is not None:
        console.print(f"  copy   {copy}")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal; silence where nobody looks."""
    from rich import progress  # only what takes long pays for it

    if not console.is_terminal:
        yield lambda what, done, of: None
        return
    text, bar = progress.TextColumn("{task.description}"), progress.BarColumn(bar_width=24)
    columns = (progress.SpinnerColumn(), text, bar, progress.MofNCompleteColumn())
    with progress.Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda what, done, of: bars.update(task, description=what, completed=done, total=of or None)
