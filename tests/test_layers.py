"""The order of the rooms: a room imports only what stands before it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import threefold

ROOMS = (
    "errors", "records", "store", "design", "pipeline", "data", "features", "training", "quality",
    "packaging", "registry", "serving", "monitoring", "loop", "governance", "server", "cli",
)  # fmt: skip
PACKAGE = Path(threefold.__file__).parent


def files_of(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.is_file() else sorted((PACKAGE / room).rglob("*.py"))


def imported_names(file: Path) -> Iterator[str]:
    """Every dotted name an import statement of the file reaches, those inside functions too."""
    package = file.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module or "").split("."))).strip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_rooms(room: str) -> set[str]:
    names = (name.split(".") for file in files_of(room) for name in imported_names(file))
    return {parts[1] for parts in names if parts[0] == "threefold" and len(parts) > 1} & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_before_it(room: str) -> None:
    assert imported_rooms(room) <= set(ROOMS[: ROOMS.index(room) + 1])


def test_every_folder_is_a_room() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__", "testing"}
    assert folders | modules <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_opens_with_what_it_takes_hands_on_and_where_to_start(room: str) -> None:
    files = files_of(room)
    if not files:
        pytest.skip(f"{room} is not built yet")
    door = next((file for file in files if file.name == "__init__.py"), files[0])
    docstring = ast.get_docstring(ast.parse(door.read_text())) or ""
    assert [word for word in ("Takes", "Hands on", "Start in") if word not in docstring] == []
