"""The one memory: catalogue, objects and event log.

Takes     records and bytes.
Hands on  Store: transactions over the catalogue, immutable objects under their digest, hash-chained events.
Start in  store.py; schema/ holds every table, migrations/ how it came to be, database.py what differs between SQLite and
          Postgres. roots.py says what refers to an object; check, gc, backup, restore and move go by it.
"""

from threefold.store.store import Store, Writer, new_id

__all__ = ["Store", "Writer", "new_id"]
