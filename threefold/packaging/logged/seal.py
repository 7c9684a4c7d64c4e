"""The seal on a logged model whose format can run code: which files it is made of, under the key of the store.

The files are named by their digests and compared with them whenever they are read, so a seal on the list is one on all.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from threefold.errors import Refused
from threefold.records import to_json

FILE = "logged.seal"
FOLDER = "logged/"  # below it lie, in a bundle, the files that a client saved


def seal(files: Mapping[str, str], key: bytes) -> bytes:
    """The seal of some files, path -> digest."""
    return hmac.new(key, b"threefold logged model 1\n" + to_json(dict(files)), hashlib.sha256).hexdigest().encode()


def logged_files(files: Mapping[str, str]) -> dict[str, str]:
    """The files that a client saved, among those of a bundle."""
    return {path.removeprefix(FOLDER): digest for path, digest in files.items() if path.startswith(FOLDER)}


def require_seal(files: Mapping[str, str], found: bytes, key: bytes | None, where: str) -> None:
    """Refuse files that this store did not seal: opening them can run any code."""
    if key is None or not hmac.compare_digest(found, seal(files, key)):
        raise Refused(
            "the model is a pickle that this store did not seal, and opening one can run any code", where,
            "test the version again in this store: threefold models test",
        )  # fmt: skip
