"""What all tables of the catalogue share."""

from __future__ import annotations

from sqlalchemy import MetaData, String

HEAD = "0003"  # the newest migration; a store at another revision is migrated, or refused when it is newer
MOVED = "moved"  # stands in place of the revision where a catalogue was left for another database

metadata = MetaData()

Path = String(1024)
