"""Immutable bytes under their digest.

Takes     bytes, streams of bytes.
Hands on  Objects: put, get and stream by sha256; verified when read, never half-written.
Start in  base.py, which lists the promises; local.py keeps them in a folder, cloud.py in a bucket. tables.py and
          cutting.py make tables that differ little share most of their bytes.
"""

from threefold.store.objects.base import Growing, Objects, digest_of
from threefold.store.objects.local import LocalObjects
from threefold.store.objects.opening import open_objects

__all__ = ["Growing", "LocalObjects", "Objects", "digest_of", "open_objects"]
