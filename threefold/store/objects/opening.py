"""From an address to the objects that live there."""

from __future__ import annotations

from pathlib import Path

from threefold.errors import StoreError
from threefold.store.objects.base import Objects
from threefold.store.objects.cloud import SCHEMES, CloudObjects
from threefold.store.objects.local import LocalObjects


def open_objects(address: str, root: Path) -> Objects:
    """The objects at an address.

    Args:
        address: a folder, relative to `root` or absolute, or the address of a bucket: s3://, gs:// or az://.
        root: the store's folder.
    Raises:
        StoreError: nothing of that kind is known, or its package is missing.
    """
    scheme, found, _ = address.partition("://")
    if not found:
        return LocalObjects(root / address)
    if scheme not in SCHEMES:
        raise StoreError(
            f"no objects can be kept under {scheme}://", address, "name a folder, or s3://, gs:// or az://"
        )
    return CloudObjects(address, root / "spool")
