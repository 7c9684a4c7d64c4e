"""The one memory: catalogue, objects and event log.

Takes     records and bytes.
Hands on  Store: transactions over the catalogue, immutable objects under their digest, hash-chained events.
Start in  store.py; schema.py holds every table, migrations/ how it came to be.
"""

from threefold.store.store import Store, Writer, new_id

__all__ = ["Store", "Writer", "new_id"]
