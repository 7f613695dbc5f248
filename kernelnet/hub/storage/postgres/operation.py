"""The cluster for its operator's commands: by the database alone, so also while nodes are away."""

from __future__ import annotations

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.operation import NodeRow, SharedIdentity
from kernelnet.hub.storage.postgres import nodes
from kernelnet.hub.storage.postgres.connection import Connection, checkUrl, withoutPassword
from kernelnet.hub.storage.postgres.schema import connected, prepare

__all__ = ["OperatedPostgres"]


class OperatedPostgres:
    """A `kernelnet.hub.storage.operation.Operated` on a server."""

    def __init__(self, url: str) -> None:
        """@raise DatabaseError: C{url} is no address of a database."""
        checkUrl(url)
        self._url = url

    def __str__(self) -> str:
        return withoutPassword(self._url)

    def establish(self, identity: SharedIdentity) -> None:
        prepare(self._url)
        with connected(self._url) as connection:
            connection.execute("BEGIN")
            connection.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
            before = _identity(connection)
            if before is not None and before.caCertificate != identity.caCertificate:
                raise DatabaseError(f"{self} belongs to nodes of another CA: give the --state of that")
            for key, value in (("join_hash", identity.joinHash), ("ca_certificate", identity.caCertificate)):
                connection.execute(
                    "INSERT INTO meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    (key, value),
                )
            connection.execute("COMMIT")

    def identity(self) -> SharedIdentity | None:
        with connected(self._url) as connection:
            return _identity(connection)

    def nodes(self) -> list[NodeRow]:
        with connected(self._url) as connection:
            return nodes.nodes(connection)

    def drain(self, name: str, wanted: bool) -> bool:
        with connected(self._url) as connection:
            if not nodes.setDraining(connection, name, wanted):
                known = ", ".join(one.name for one in nodes.nodes(connection)) or "none"
                raise DatabaseError(f"no node is called {name!r}; there are: {known}")
            return any(one.alive for one in nodes.nodes(connection) if one.name == name)


def _identity(connection: Connection) -> SharedIdentity | None:
    found = dict(
        connection.execute("SELECT key, value FROM meta WHERE key IN ('join_hash', 'ca_certificate')").fetchall()
    )
    return SharedIdentity(found["join_hash"], found["ca_certificate"]) if len(found) == 2 else None
