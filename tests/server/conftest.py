import asyncio

import httpx
import pytest

from threefold.server.app import create_app
from threefold.store import Store

API = "/api/2.0/mlflow/"


class Door:
    """The application, spoken to in process; every call is one request."""

    def __init__(self, app):
        self.app = app

    def ask(self, method, path, **parts):
        async def once():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, path, **parts)

        return asyncio.run(once())

    def get(self, path, /, **params):
        return self._json(self.ask("GET", API + path, params=params))

    def post(self, path, /, **body):
        return self._json(self.ask("POST", API + path, json=body))

    def send(self, method, path, /, **body):
        return self._json(self.ask(method, API + path, json=body))

    def refused(self, method, path, /, **body):
        """The code and the message of a call that must fail."""
        how = {"params": body} if method == "GET" else {"json": body}
        answer = self.ask(method, API + path, **how)
        said = answer.json()
        assert answer.status_code >= 400, said
        assert said["what"] and said["where"] and said["do"]
        return said["error_code"], said["message"]

    def _json(self, answer):
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def store(tmp_path, catalogue):
    store = Store.open(tmp_path / "store", url=catalogue)
    yield store
    store.close()


@pytest.fixture
def door(store):
    app = create_app(store, allow_reset=True)
    yield Door(app)
    app.context.close()
