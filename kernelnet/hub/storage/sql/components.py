"""Components."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sql.execution import Execute, Put, inPieces, marks, upsert
from kernelnet.hub.storage.sql.owners import IS_OLDER, OWNER, VOICE, countVerdicts, followRules
from kernelnet.hub.storage.statements.components import (
    LOOKS,
    MIN_PREFIX,
    ComponentKey,
    ComponentTurn,
    NewComponent,
    StoredComponent,
)

__all__ = ["SqlComponents"]

T = TypeVar("T")

_PUT_COMPONENT = upsert(
    *("shared_components", 2, "ai_id", "component_id", "kind", "name", "feature", "digest", "development_level"),
    *("timestamp", "body", "workbench_digest", "seq"),
    owner=OWNER,
    confirmed="0",
    refuted="0",
    older_rules="0",
)
_SET_RULES = upsert("workbench_rules", 1, "workbench", "digest", installed="1")
_SET_VOICE = upsert("workbench_voices", 2, "workbench", "ai_id", "digest", "seq", owner=OWNER)

_COMPONENT = (
    "SELECT ai_id, component_id, kind, digest, development_level, confirmed, refuted, seq, timestamp, body, older_rules"
    " FROM shared_components"
)
_SORTS = {
    "level": ("standing", "development_level", "seq"),
    "confirmed": ("-older_rules", "confirmed - refuted", "development_level", "seq"),
    "newest": ("-older_rules", "seq"),
}
_BEST = "standing DESC, development_level DESC, seq DESC"
_STATES = {
    "confirmed": "confirmed > 0 AND refuted = 0",
    "refuted": "refuted > 0 AND confirmed = 0",
    "disputed": "confirmed > 0 AND refuted > 0",
    "unmeasured": "confirmed = 0 AND refuted = 0",
}


class SqlComponents:
    """`kernelnet.hub.storage.statements.components.Components`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, component: NewComponent) -> None:
        c = component
        said = c.author, c.id, c.kind, c.name, c.feature, c.digest, c.level, c.timestamp, c.body, c.workbenchDigest
        self._put(_PUT_COMPONENT, (*said, event.seq, c.author))

    def countVerdicts(self, digest: str, name: tuple[str, str] | None = None) -> None:
        countVerdicts(self._execute, digest, name)

    def setRules(self, installed: Mapping[str, str]) -> None:
        self._execute("UPDATE workbench_rules SET installed = 0")
        for workbench, digest in installed.items():
            self._execute(_SET_RULES, (workbench, digest))
        self._execute(f"UPDATE shared_components SET older_rules = {IS_OLDER} WHERE older_rules != {IS_OLDER}")  # noqa: S608

    def followRules(self, digest: str, reporter: str, seq: int) -> None:
        found = self._execute(
            f"SELECT feature, workbench_digest FROM shared_components WHERE digest = ? AND voice != {VOICE}"  # noqa: S608
            " AND kind = 'component' AND confirmed > 0 AND workbench_digest != '' ORDER BY seq DESC LIMIT 1",
            (digest, reporter, reporter),
        ).fetchone()
        if found is None:
            return
        workbench, rules = found
        self._execute(
            _SET_VOICE,
            (workbench, reporter, rules, seq, reporter),
        )
        followRules(self._execute, workbench)

    def rules(self) -> dict[str, str]:
        return dict(self._execute("SELECT workbench, digest FROM workbench_rules").fetchall())

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        where = " WHERE (confirmed - refuted, development_level, seq) < (?, ?, ?)" if key is not None else ""
        rows = self._execute(
            f"SELECT ai_id, component_id FROM shared_components{where}"  # noqa: S608
            " ORDER BY confirmed - refuted DESC, development_level DESC, seq DESC",
            key[:3] if key is not None else (),
        ).fetchall()
        return (one for _, one in self._each((key, None) for key in rows))

    def inTurn(
        self, each: int, key: ComponentTurn | None, limit: int
    ) -> Iterator[tuple[ComponentTurn, StoredComponent]]:
        where = (
            "WHERE standing < ?2 OR standing = ?2 AND (-turn, development_level, seq) < (-?3, ?4, ?5)" if key else ""
        )
        rows = self._execute(
            f"""
            SELECT ai_id, component_id, standing, turn, development_level, seq FROM (
                SELECT ai_id, component_id, standing, development_level, seq, (ROW_NUMBER() OVER (
                    PARTITION BY voice, standing ORDER BY development_level DESC, seq DESC
                ) - 1) / ?1 AS turn FROM shared_components
            ) AS turns {where} ORDER BY standing DESC, turn, development_level DESC, seq DESC LIMIT {int(limit)}
            """,  # noqa: S608
            (each, *(key or ())),
        ).fetchall()
        return self._each(((author, id_), ComponentTurn._make(turn)) for author, id_, *turn in rows)

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        some = [
            f"SELECT * FROM (SELECT ai_id, component_id, standing, development_level, seq FROM shared_components"  # noqa: S608
            f" WHERE kind = 'component' AND {column} = ?1 ORDER BY {_BEST} LIMIT {LOOKS}) AS by_{column}"
            for column in ("feature", "name")
        ]
        # Of older rules is what has a standing below -1.
        return self._one(
            "(ai_id, component_id) = (SELECT ai_id, component_id"  # noqa: S608
            f" FROM ({' UNION ALL '.join(some)}) AS looked_at"
            f" WHERE ai_id != ?2 AND standing >= -1 ORDER BY {_BEST} LIMIT 1)",
            feature,
            requestor,
        )

    def listed(
        self,
        *,
        workbench: str | None,
        author: str | None,
        state: str | None,
        sort: str,
        limit: int,
        after: ComponentKey | None,
    ) -> list[StoredComponent]:
        conditions: list[str] = ["kind = 'component'"]
        values: list[Any] = []
        if workbench is not None:
            conditions.append("feature = ?")
            values.append(workbench)
        if author is not None:
            conditions.append("ai_id = ?")
            values.append(author)
        if state is not None:
            conditions.append(_STATES[state])
        columns = _SORTS[sort]
        if after is not None:
            numbers = {
                "standing": after.standing,
                "-older_rules": -int(after.olderRules),
                "development_level": after.level,
                "confirmed - refuted": after.rank,
                "seq": after.seq,
            }
            conditions.append(f"({', '.join(columns)}) < ({', '.join('?' * len(columns))})")
            values += [numbers[column] for column in columns]
        order = ", ".join(f"{column} DESC" for column in columns)
        return self._some(f"{' AND '.join(conditions)} ORDER BY {order} LIMIT ?", *values, limit)

    def inOrder(self) -> Iterator[StoredComponent]:
        return map(_component, self._execute(f"{_COMPONENT} WHERE kind = 'component' ORDER BY seq"))

    def named(self, name: str) -> list[StoredComponent]:
        return self._some(
            "kind = 'component' AND (component_id = ?1"
            " OR (length(?1) >= ?2 AND substr(digest, 1, length(?1)) = lower(?1))) ORDER BY seq",
            name,
            MIN_PREFIX,
        )

    def at(self, seq: int) -> StoredComponent | None:
        return self._one("kind = 'component' AND seq = ?", seq)

    def withDigest(self, digest: str) -> StoredComponent | None:
        return self._one("kind = 'component' AND digest = ? ORDER BY seq LIMIT 1", digest)

    def confirmedOnly(self, limit: int) -> Iterator[StoredComponent]:
        newest = self._execute(
            "SELECT ai_id, component_id FROM shared_components"
            " WHERE kind = 'component' AND confirmed > 0 AND refuted = 0 ORDER BY seq DESC LIMIT ?",
            (limit,),
        ).fetchall()
        for _, component in self._each((key, None) for key in reversed(newest)):
            yield component

    def features(self, limit: int) -> list[str]:
        rows = self._execute(
            "SELECT DISTINCT feature FROM shared_components WHERE kind = 'component' ORDER BY feature LIMIT ?", (limit,)
        )
        return [str(name) for (name,) in rows]

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        rows = self._execute(
            "SELECT component_id FROM shared_components WHERE kind = 'component'"
            " AND substr(component_id, 1, length(?1)) = ?1 ORDER BY seq DESC LIMIT ?2",
            (beginning, limit),
        )
        return [componentId for (componentId,) in rows]

    def idsWith(self, digest: str, author: str, without: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM shared_components"
            " WHERE kind = 'component' AND digest = ? AND ai_id = ? AND component_id != ? LIMIT ?) AS others",
            (digest, author, without, limit),
        ).fetchone()
        return int(count)

    def copies(self, digest: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM shared_components"
            " WHERE kind = 'component' AND digest = ? LIMIT ?) AS ids",
            (digest, limit),
        ).fetchone()
        return int(count)

    def heldDigests(self, digests: Collection[str]) -> set[str]:
        held: set[str] = set()
        for some in inPieces(digests):
            rows = self._execute(
                f"SELECT digest FROM shared_components WHERE kind = 'component' AND digest IN ({marks(len(some))})",  # noqa: S608
                some,
            )
            held |= {digest for (digest,) in rows}
        return held

    def digestsOf(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for some in inPieces(names):
            rows = self._execute(
                "SELECT ai_id, component_id, digest FROM shared_components WHERE kind = 'component'"  # noqa: S608
                f" AND (ai_id, component_id) IN (VALUES {marks(len(some), '(?, ?)')})",
                [*chain.from_iterable(some)],
            )
            found |= {(aiId, componentId): digest for aiId, componentId, digest in rows}
        return found

    def countByKind(self) -> dict[str, int]:
        return dict(self._execute("SELECT kind, COUNT(*) FROM shared_components GROUP BY kind").fetchall())

    def countByState(self) -> dict[str, int]:
        found = self._execute(
            "SELECT CASE WHEN confirmed > 0 AND refuted > 0 THEN 'disputed' WHEN confirmed > 0 THEN 'confirmed'"
            " WHEN refuted > 0 THEN 'refuted' ELSE 'unmeasured' END AS state, COUNT(*)"
            " FROM shared_components WHERE kind = 'component' AND older_rules = 0 GROUP BY state"
        )
        return dict(found.fetchall())

    def countConfirmed(self) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM shared_components WHERE kind = 'component' AND confirmed > 0"
        ).fetchone()
        return int(count)

    def _each(self, rows: Iterable[tuple[tuple[str, str], T]]) -> Iterator[tuple[T, StoredComponent]]:
        """The rows with these keys that are still there: one at a time, since each may be of a megabyte."""
        for key, place in rows:
            if (component := self._one("ai_id = ? AND component_id = ?", *key)) is not None:
                yield place, component

    def _one(self, condition: str, *values: Any) -> StoredComponent | None:
        row = self._execute(f"{_COMPONENT} WHERE {condition}", values).fetchone()
        return _component(row) if row else None

    def _some(self, condition: str, *values: Any) -> list[StoredComponent]:
        return [*map(_component, self._execute(f"{_COMPONENT} WHERE {condition}", values))]


def _component(row: Sequence[Any]) -> StoredComponent:
    found = StoredComponent._make(row)
    return found._replace(olderRules=bool(found.olderRules))
