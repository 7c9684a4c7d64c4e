"""A real `threefold up`, looked at with a real Chromium that may speak to nobody else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from threefold.store import Store

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIETLY = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"]  # fmt: skip
PATIENCE_MS = 20_000  # a busy machine is no fault of the page


@pytest.fixture(scope="module")  # while it runs, nothing else in this process may have an event loop of its own
def chromium():
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test installs it")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium, or make test as root")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield browser
        browser.close()


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def address(store):
    """Where `threefold up` shows the store."""
    command = [sys.executable, "-m", "threefold", "up", "--store", str(store.root), "--port", "0"]
    here = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=here) as server:
        line = next((line for line in server.stdout if "http://" in line), "")
        try:
            yield "http://" + line.partition("http://")[2].split()[0]
        finally:
            server.terminate()
            server.communicate(timeout=30)


class Visit:
    """One window of the browser; it remembers what went wrong in it, and whom it asked."""

    def __init__(self, chromium, address, **how):
        self.context = chromium.new_context(base_url=address, **how)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.wrong, self.asked = [], []
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path):
        self.page.goto(path)
        self.page.wait_for_load_state("load")
        return self.page


@pytest.fixture
def visit(chromium, address):
    """Open a window: visit(width, theme="dark"). At the end nothing may have gone wrong in it."""
    opened = []
    own = (address, "data:")

    def open_(width=1280, theme="light", **how):
        size = {"width": width, "height": 800}
        opened.append(Visit(chromium, address, viewport=size, color_scheme=theme, **how))
        return opened[-1]

    yield open_
    for one in opened:
        one.context.close()
        assert one.wrong == []
        assert [url for url in one.asked if not url.startswith(own)] == []
