"""The `threefold` command: finds its commands in the folder, shows every refusal in one shape."""

from __future__ import annotations

import ast
import atexit
import errno
import gc
import importlib
import os
import pkgutil
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from threefold.cli import commands
from threefold.errors import CanvasError, StoreError, ThreefoldError

# The order of the help page is the order of a project's life. A command that is not named here stands under "More".
SECTIONS = {
    "Begin": ("demo", "init", "canvas"),
    "Build": ("run", "status", "runs", "models"),
    "Live": ("up", "release", "serve", "rollback", "watch", "replay"),
    "Answer for it": ("trace", "lineage", "reproduce", "report", "audit", "hold", "keys"),
    "Look after it": ("store", "sync"),
}


class Commands(click.Group):
    """A group whose commands are files. A file is imported only when its command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every file of the folder."""
        return [found.name for found in pkgutil.iter_modules(commands.__path__)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The `command` of a file; None when there is no such file."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"threefold.cli.commands.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown word is answered with the nearest one."""
        from difflib import get_close_matches  # only a mistyped command pays for it

        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean `threefold {near[0]}`?" if near else "see: threefold --help"
            raise ThreefoldError(f"there is no command {args[0]!r}", "threefold", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections in the order of a project's life; each line is the first line of the command's file."""
        names = self.list_commands(ctx)
        placed = {name for section in SECTIONS.values() for name in section}
        sections = {**SECTIONS, "More": tuple(name for name in names if name not in placed)}
        for title, members in sections.items():
            rows = [(name, first_line(name)) for name in members if name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def first_line(name: str) -> str:
    """What a command is for, read from its file without importing it."""
    file = Path(commands.__path__[0]) / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n", 1)[0].rstrip(".")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-C", "--project", "folder", default=".", metavar="DIR", help="The project's folder; default: here, or above."
)
@click.version_option(package_name="threefold", message="%(version)s")
@click.pass_context
def group(ctx: click.Context, folder: str) -> None:
    """Threefold: data, model and code, released as one.

    Runs the whole life of a machine-learning product from one file, threefold.yaml. New here? Try `threefold demo`,
    or `threefold init --data TABLE.csv --target COLUMN`.
    """
    ctx.obj = Path(folder)
    if not ctx.obj.is_dir():
        what = "it is a file" if ctx.obj.exists() else "there is no such folder"
        raise ThreefoldError(f"{what}: {folder}", "-C", "name the folder of a project")


class Terminated(BaseException):
    """SIGTERM came. No error that anybody may handle: what is under way is put away, and we leave."""


def _terminated(number: int, frame: object) -> None:
    raise Terminated


def run(arguments: list[str] | None = None) -> NoReturn:
    """Call a command and leave with its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--json" in words:
        sys.stdout = sys.stderr  # what a project prints while it works must not stand before the answer
    atexit.register(gc.freeze)  # without it the interpreter spends 0.1 s at its end taking SQLAlchemy apart
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = group.main(args=words, prog_name="threefold", standalone_mode=False)
    except click.exceptions.Abort:
        _say("stopped; what was finished is kept")
        code = 130
    except Terminated:
        _say("terminated; what was finished is kept")
        code = 143
    except click.ClickException as error:
        show_error(of_the_call(error), as_json="--json" in words)
        code = error.exit_code
    except ThreefoldError as error:
        show_error(error, as_json="--json" in words)
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has seen enough, as `| head` has
        code = 0
    except OSError as error:
        show_error(of_the_system(error), as_json="--json" in words)
        code = 2
    except Exception as error:
        if os.environ.get("THREEFOLD_TRACEBACK", "0") != "0":
            raise
        show_error(unexpected(error), as_json="--json" in words)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def of_the_call(error: click.ClickException) -> ThreefoldError:
    """A word, option or value that a command does not take."""
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx is not None else "threefold"
    said = error.format_message().rstrip(".")
    return ThreefoldError(said[:1].lower() + said[1:], path, f"see: {path} --help")


def of_the_system(error: OSError) -> ThreefoldError:
    """What the operating system refused: a full disk, a folder that is not there, rights that are missing."""
    said = (error.strerror or str(error) or type(error).__name__).lower()
    advice = {
        errno.ENOSPC: "free some space and run again; nothing half-written was kept",
        errno.EDQUOT: "free some space and run again; nothing half-written was kept",
        errno.EROFS: "the disk is read-only: name a place that can be written",
        errno.EACCES: "check the rights of that file and of its folder",
        errno.EPERM: "check the rights of that file and of its folder",
        errno.ENOENT: "make the folder, or name one that is there",
        errno.ENOTDIR: "a part of that path is a file: name a folder that is there",
        errno.EISDIR: "that is a folder: name a file in it",
    }
    where = " and ".join(str(name) for name in (error.filename, error.filename2) if name) or "the operating system"
    again = "run again; with THREEFOLD_TRACEBACK=1 it shows where that happened"
    return StoreError(f"the system refused: {said}", where, advice.get(error.errno or 0, again))


def unexpected(error: Exception) -> ThreefoldError:
    """A fault of ours, in the shape of every other refusal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    return ThreefoldError(
        f"Threefold itself failed: {type(error).__name__}: {error}",
        where,
        "set THREEFOLD_TRACEBACK=1 and run again for the whole trace, and report it",
    )


def show_error(error: ThreefoldError, *, as_json: bool) -> None:
    """Print a refusal: what, where, what to do; all findings when there are several."""
    if as_json:
        import json  # only this path pays for it

        shape: dict[str, Any] = {"what": error.what, "where": error.where, "do": error.do}
        if isinstance(error, CanvasError):
            shape["findings"] = [{"what": one.what, "where": one.where, "do": one.do} for one in error.findings]
        click.echo(json.dumps({"error": shape}, indent=2), file=sys.__stdout__)
        return
    mark = click.style("✗", fg="red", bold=True)
    _say(f"{mark} {click.style(error.what, bold=True)}")
    if isinstance(error, CanvasError):
        for one in error.findings:
            _say(f"  {one.where}\n    {one.what}\n    → {one.do}")
        return
    _say(f"  where  {error.where}\n  do     {error.do}")


def _say(text: str) -> None:
    click.echo(text, err=True)
