"""Owners, and votes counted by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.sql.execution import Execute, inPieces, marks, upsert
from kernelnet.hub.storage.statements.components import VOICES

__all__ = ["IS_OLDER", "OF_REPORT", "OWNER", "VOICE", "SqlOwners", "countAll", "countVerdicts", "followRules"]

OWNER = "(SELECT owner FROM owners WHERE ai_id = ?)"
"""The owner of an AI."""
VOICE = "COALESCE('owner ' || (SELECT owner FROM owners WHERE ai_id = ?), ?)"
"""The voice of an AI, whose id is given twice, as the columns of this name have it."""

IS_OLDER = """CASE WHEN
    workbench_digest != '' AND EXISTS (
        SELECT 1 FROM workbench_rules w
        WHERE w.workbench = shared_components.feature AND w.digest != shared_components.workbench_digest
    )
THEN 1 ELSE 0 END"""
OF_REPORT = "COALESCE('owner ' || r.owner, r.ai_id)"
"""The voice of a report C{r}, in such words that it is taken from an index."""
_COUNT = f"""
    UPDATE shared_components SET older_rules = {IS_OLDER}, (confirmed, refuted) = (
        SELECT COUNT(*) FILTER (WHERE verdict = ?), COUNT(*) FILTER (WHERE verdict = ?)
        FROM (SELECT DISTINCT {OF_REPORT} AS voice, r.verdict FROM performance_reports r
              WHERE r.digest = shared_components.digest AND {OF_REPORT} != shared_components.voice) AS said
    )
"""  # noqa: S608
_SET = upsert("owners", 1, "ai_id", "owner")
_OWNED = ("shared_patterns", "shared_components", "performance_reports", "workbench_voices")


class SqlOwners:
    """`kernelnet.hub.storage.statements.owners.Owners`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def of(self, aiId: str) -> str | None:
        row = self._execute("SELECT owner FROM owners WHERE ai_id = ?", (aiId,)).fetchone()
        return str(row[0]) if row else None

    def all(self) -> dict[str, str]:
        return dict(self._execute("SELECT ai_id, owner FROM owners ORDER BY ai_id").fetchall())

    def set(self, aiId: str, owner: str | None) -> None:
        if owner is None:
            self._execute("DELETE FROM owners WHERE ai_id = ?", (aiId,))
        else:
            self._execute(_SET, (aiId, owner))
        for table in _OWNED:
            self._execute(f"UPDATE {table} SET owner = ? WHERE ai_id = ?", (owner, aiId))  # noqa: S608
        concerned = (
            " WHERE digest IN (SELECT digest FROM performance_reports WHERE ai_id = ?"
            " UNION SELECT digest FROM shared_components WHERE ai_id = ?)"
        )
        self._execute(f"{_COUNT}{concerned}", (Verdict.CONFIRMED.value, Verdict.REFUTED.value, aiId, aiId))
        heard = self._execute("SELECT workbench FROM workbench_voices WHERE ai_id = ?", (aiId,)).fetchall()
        for (workbench,) in heard:
            followRules(self._execute, workbench)


def countVerdicts(execute: Execute, digest: str, name: tuple[str, str] | None = None) -> None:
    """
    Count the voices on what has this digest: once for all of its ids, of which those are written that change.

    @param name: on this (author, id) only; C{None}: on all.
    """
    said: set[tuple[str, str]] = {
        (voice, verdict)
        for voice, verdict in execute(
            f"SELECT DISTINCT {OF_REPORT}, r.verdict FROM performance_reports r WHERE r.digest = ?",  # noqa: S608
            (digest,),
        )
    }
    whole = Counter(verdict for _, verdict in said)
    only, more = ("", ()) if name is None else (" AND (ai_id, component_id) = (?, ?)", name)
    rows = execute(
        f"SELECT ai_id, component_id, voice, confirmed, refuted, older_rules, {IS_OLDER} FROM shared_components"  # noqa: S608
        f" WHERE digest = ?{only}",
        (digest, *more),
    ).fetchall()
    changed: dict[tuple[int, int, int], list[tuple[str, str]]] = {}
    for aiId, componentId, voice, confirmed, refuted, wasOlder, isOlder in rows:
        counts = [whole[one.value] - ((voice, one.value) in said) for one in (Verdict.CONFIRMED, Verdict.REFUTED)]
        if (*counts, isOlder) != (confirmed, refuted, wasOlder):
            changed.setdefault((counts[0], counts[1], isOlder), []).append((aiId, componentId))
    for numbers, keys in changed.items():
        for some in inPieces(keys):
            execute(
                "UPDATE shared_components SET confirmed = ?, refuted = ?, older_rules = ?"  # noqa: S608
                f" WHERE (ai_id, component_id) IN (VALUES {marks(len(some), '(?, ?)')})",
                [*numbers, *chain.from_iterable(some)],
            )


def countAll(execute: Execute) -> None:
    """Count all voices anew: the table of owners has been replaced."""
    for table in _OWNED:
        execute(f"UPDATE {table} SET owner = (SELECT o.owner FROM owners o WHERE o.ai_id = {table}.ai_id)")  # noqa: S608
    execute(_COUNT, (Verdict.CONFIRMED.value, Verdict.REFUTED.value))
    for (workbench,) in execute("SELECT DISTINCT workbench FROM workbench_voices").fetchall():
        followRules(execute, workbench)


def followRules(execute: Execute, workbench: str) -> None:
    """Put those rules of a workbench in force that most of the newest voices are for, unless it is installed."""
    followed: Sequence[tuple[str]] = execute(
        "INSERT INTO workbench_rules SELECT ?1, digest, 0 FROM ("
        # of a voice that of its newest report
        "SELECT digest, seq FROM (SELECT digest, seq, ROW_NUMBER() OVER (PARTITION BY voice ORDER BY seq DESC) AS place"
        " FROM workbench_voices WHERE workbench = ?1) AS placed WHERE place = 1 ORDER BY seq DESC LIMIT ?2) AS newest"
        " GROUP BY digest ORDER BY COUNT(*) DESC,"
        " digest IN (SELECT r.digest FROM workbench_rules r WHERE r.workbench = ?1) DESC, MAX(seq) DESC LIMIT 1"
        " ON CONFLICT (workbench) DO UPDATE SET digest = excluded.digest"
        " WHERE workbench_rules.installed = 0 AND workbench_rules.digest != excluded.digest RETURNING workbench",
        (workbench, VOICES),
    ).fetchall()
    for one in followed:
        of = "WHERE kind = 'component' AND feature = ?"
        execute(f"UPDATE shared_components SET older_rules = {IS_OLDER} {of}", one)  # noqa: S608
