"""
The engine on an SQLite file: the hub's own, embedded one.

  - `engine`: `SqliteEngine`, on three pools of connections: one writes, one reads, one copies the write-ahead log
  - `connection`: connections, set up so that a commit is on disk
  - `schema`, ``schema/``: the file made, and brought to the newest version
  - `transaction`: `SqliteReader`, `SqliteTransaction`, and the commit; the statements are those of
    `kernelnet.hub.storage.sql`
  - `log`: the numbers that the log gave
  - `errors`: what SQLite's errors mean
  - `checks`: whether a file is what the hub wrote
  - `offline`: the file for commands
  - `backup`: copies of it, made and gone back to
"""

from __future__ import annotations

from kernelnet.hub.storage.sqlite.connection import connect, connectReader
from kernelnet.hub.storage.sqlite.engine import Pool, SqliteEngine
from kernelnet.hub.storage.sqlite.schema import prepare, schemas

__all__ = ["Pool", "SqliteEngine", "connect", "connectReader", "prepare", "schemas"]
