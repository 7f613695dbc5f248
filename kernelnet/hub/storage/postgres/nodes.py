"""
The hubs that use one database, called nodes: their leases, and which AI is connected to which of them.

A lease is a row that its node renews every `RENEW_EVERY` seconds, by the server's clock alone.  One that is over says
that the node is gone, or can't be heard: its AIs leave with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from kernelnet.hub.storage.operation import NodeRow
from kernelnet.hub.storage.postgres.connection import Connection

__all__ = [
    "FIRST_SCHEMA",
    "LEASE",
    "RENEW_EVERY",
    "About",
    "Arrived",
    "Lease",
    "arrive",
    "depart",
    "elsewhere",
    "endLost",
    "ended",
    "leave",
    "nodes",
    "olderThan",
    "oldestNode",
    "renew",
    "setDraining",
    "tryToLead",
]

LEASE = 10.0
"""Seconds that a lease lasts."""
RENEW_EVERY = 2.0
MOST = 200
"""Nodes that are told of: a container that is made anew has another name each time."""
FIRST_SCHEMA = 9
"""The schema version that brought nodes."""

_KEEPER_LOCK = 0x6B657271
"""Number of the advisory lock of the node that does what one alone shall do."""
_NOW = "extract(epoch FROM clock_timestamp())::double precision"


class About(NamedTuple):
    """
    A node, as it tells of itself.

    @ivar address: host and port, for eyes.
    @ivar started: Unix seconds.
    @ivar schema: the newest schema version that it knows.
    """

    name: str
    address: str
    started: float
    version: str
    schema: int = FIRST_SCHEMA


class Lease(NamedTuple):
    """
    @ivar lost: whether it had run out, or is the first: others don't count those who are here.
    @ivar draining: whether the operator wants nobody new here.
    @ivar oldest: the oldest schema version whose nodes may use the tables.
    """

    lost: bool
    draining: bool
    oldest: int


class Arrived(NamedTuple):
    """A connection of an AI.  @ivar since: Unix seconds; C{gen}: of two the newer one has the higher."""

    aiId: str
    node: str
    gen: int
    since: float


def nodes(connection: Connection) -> list[NodeRow]:
    """All that ever used the database, and were not forgotten, by name; no more than `MOST`, those of late first."""
    found = connection.execute(
        f"SELECT name, address, lease_until > {_NOW}, lease_until, started, version, draining <> 0,"  # noqa: S608
        " (SELECT COUNT(*) FROM presence WHERE node = name), status FROM nodes ORDER BY lease_until DESC LIMIT $1",
        (MOST,),
    )
    return sorted(map(NodeRow._make, found), key=lambda one: one.name)


def renew(connection: Connection, about: About, status: str) -> Lease:
    """Have the lease of a node last on.  @param status: JSON."""
    ((lost,),) = connection.execute(
        f"SELECT NOT EXISTS (SELECT 1 FROM nodes WHERE name = $1 AND started = $2 AND lease_until > {_NOW})",  # noqa: S608
        (about.name, about.started),
    ).fetchall()
    ((draining,),) = connection.execute(
        f"INSERT INTO nodes VALUES ($1, $2, {_NOW} + $3, $4, $5, 0, $6) ON CONFLICT (name) DO UPDATE SET"  # noqa: S608
        " address = excluded.address, lease_until = excluded.lease_until, started = excluded.started,"
        " version = excluded.version, status = excluded.status RETURNING draining <> 0",
        (about.name, about.address, LEASE, about.started, about.version, status),
    ).fetchall()
    return Lease(lost, draining, oldestNode(connection, about.schema))


def oldestNode(connection: Connection, otherwise: int) -> int:
    """The oldest schema version whose nodes may use the tables.  @param otherwise: if nobody has said so."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'min_node_version'").fetchone()
    return int(found[0]) if found is not None else otherwise


def olderThan(connection: Connection, schema: int) -> list[str]:
    """Names of the living nodes that know no schema version as new as this."""
    found = connection.execute(
        f"SELECT name FROM nodes WHERE lease_until > {_NOW}"  # noqa: S608
        " AND (status::jsonb ->> 'schema')::integer < $1 ORDER BY name",
        (schema,),
    )
    return [name for (name,) in found]


def setDraining(connection: Connection, name: str, wanted: bool) -> bool:
    """Say whether nobody shall be connected to C{name}.  @return: whether there is such a node."""
    return connection.execute("UPDATE nodes SET draining = $2 WHERE name = $1", (name, int(wanted))).rowcount == 1


def leave(connection: Connection, name: str) -> None:
    """C{name} ends in order: the database is in use only if others use it."""
    connection.execute("UPDATE nodes SET lease_until = 0 WHERE name = $1", (name,))
    connection.execute(
        f"DELETE FROM meta WHERE key = 'in_use' AND NOT EXISTS (SELECT 1 FROM nodes WHERE lease_until > {_NOW})"  # noqa: S608
    )


def ended(connection: Connection) -> bool:
    """Whether whoever used the database did not end in order, and nobody uses it now."""
    ((unclean,),) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'in_use')"  # noqa: S608
        f" AND NOT EXISTS (SELECT 1 FROM nodes WHERE lease_until > {_NOW})"
    ).fetchall()
    return bool(unclean)


def endLost(connection: Connection, also: str) -> list[Arrived]:
    """
    Have those leave who were connected to nodes whose leases are over.

    @param also: a node to which the same happens.
    @return: them.
    """
    found = connection.execute(
        "DELETE FROM presence p WHERE p.node = $1 OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.name = p.node"  # noqa: S608
        f" AND n.lease_until > {_NOW}) RETURNING ai_id, node, gen, since",
        (also,),
    )
    return [*map(Arrived._make, found)]


def tryToLead(connection: Connection) -> bool:
    """Whether this connection is now the one that does what one node alone shall do; it stays so while it lasts."""
    ((leads,),) = connection.execute("SELECT pg_try_advisory_lock($1)", (_KEEPER_LOCK,)).fetchall()
    return bool(leads)


def arrive(connection: Connection, node: str, some: Iterable[tuple[str, float, int | None]]) -> list[Arrived]:
    """
    C{some} AIs are connected to C{node}.

    @param some: (AI, since when, the C{gen} that its connection has already).

    @return: those of them who have no newer connection elsewhere.
    """
    # In one order on all nodes, so that no two wait for each other.
    ids, since, gens = zip(*sorted(some, key=itemgetter(0)), strict=True)
    found = connection.execute(
        "INSERT INTO presence SELECT ai_id, $1, COALESCE(gen, nextval('presence_gen')), since"
        " FROM unnest($2::text[], $3::double precision[], $4::bigint[]) AS those (ai_id, since, gen)"
        " ON CONFLICT (ai_id) DO UPDATE SET node = excluded.node, gen = excluded.gen, since = excluded.since"
        " WHERE presence.gen <= excluded.gen RETURNING ai_id, node, gen, since",
        (node, [*ids], [*since], [*gens]),
    )
    return [*map(Arrived._make, found)]


def depart(connection: Connection, node: str, some: Iterable[tuple[str, int]]) -> list[Arrived]:
    """
    C{some} AIs have left C{node}, whose connections had the given C{gen}.

    @return: those who have no newer one.
    """
    ids, gens = zip(*sorted(some), strict=True)
    found = connection.execute(
        "DELETE FROM presence p USING unnest($2::text[], $3::bigint[]) AS those (ai_id, gen)"
        " WHERE p.ai_id = those.ai_id AND p.gen = those.gen AND p.node = $1 RETURNING p.ai_id, p.node, p.gen, p.since",
        (node, [*ids], [*gens]),
    )
    return [*map(Arrived._make, found)]


def elsewhere(connection: Connection, node: str) -> list[Arrived]:
    """Those who are connected to other nodes than C{node}."""
    found = connection.execute("SELECT ai_id, node, gen, since FROM presence WHERE node <> $1", (node,))
    return [*map(Arrived._make, found)]
