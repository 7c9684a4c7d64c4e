"""What all tables of the catalogue share."""

from __future__ import annotations

from sqlalchemy import MetaData, String

HEAD = "0002"  # the newest migration; a store at another revision is migrated, or refused when it is newer

metadata = MetaData()

# Postgres sorts text by the rules of a language unless told otherwise; paths are compared byte by byte.
Path = String(1024).with_variant(String(1024, collation="C"), "postgresql")
