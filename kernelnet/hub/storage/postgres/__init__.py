"""
The engine on PostgreSQL, which the extra C{[postgres]} brings along.

  - `engine`: `PostgresEngine`, on two pools of connections, one of which writes
  - `pools`: those, each with its threads
  - `connection`: connections, set up so that a commit is on disk, and statements executed by them
  - `schema`, ``schema/``: the tables made, and brought to the newest version
  - `transaction`: `PostgresReader`, `PostgresTransaction`, and the commit
  - `continuity`: whether the log behind a new connection is the one that was passed on
  - `nodes`: the hubs that use one database: their leases, and who is connected where
  - `cluster`: a hub as one of these: what it says to the others, and hears of them
  - `ears`: the connection by which it hears; `link`: the one for all else, proved and watched
  - `operation`: the cluster for its operator's commands
  - `batch`: statements of a transaction, sent with few calls
  - `blobs`: what is too large for a line, for all nodes
  - `log`: stretches of the log by their bytes
  - `errors`: the meaning of PostgreSQL's errors
  - `checks`: whether the log's rows are what the hub wrote
  - `offline`: the database for commands
  - `backup`: copies in the form that every engine goes back to
"""

from __future__ import annotations

from kernelnet.hub.storage.postgres.blobs import PostgresBlobs
from kernelnet.hub.storage.postgres.cluster import aboutNode, clusterAt
from kernelnet.hub.storage.postgres.connection import connect
from kernelnet.hub.storage.postgres.engine import PostgresEngine

__all__ = ["PostgresBlobs", "PostgresEngine", "aboutNode", "clusterAt", "connect"]
