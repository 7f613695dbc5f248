"""Components in SQLite: what each message asks of them is found by an index, however many there are."""

from __future__ import annotations

import sqlite3
from typing import Any

from kernelnet.hub.storage.sql.components import SqlComponents
from kernelnet.hub.storage.sql.reports import SqlReports
from tests.hub.databases import OnSqlite
from tests.hub.storage.conformance.support import EngineTestCase


class PlanTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        assert isinstance(self.database, OnSqlite)
        self.connection: sqlite3.Connection = self.database.writer.connection
        self.plans: list[str] = []
        self.executed = 0

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        for *_, detail in self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters):
            self.plans.append(detail)
        self.executed += 1
        return self.connection.execute(sql, parameters)

    def test_noScan(self) -> None:
        """Nothing that is done for a share, a report or a feature request goes through a whole table."""
        components = SqlComponents(self.execute, self.execute)
        reports = SqlReports(self.execute, self.execute)
        components.best("fs", "a")
        components.idsWith("d", "a", "c", 16)
        components.copies("d", 100)
        components.countVerdicts("d", ("a", "c"))
        components.countVerdicts("d")
        components.followRules("d", "a", 1)
        reports.idsOn("d", "a", "c", 16)
        scans = [plan for plan in self.plans if plan.startswith("SCAN") and "shared_" in plan]
        scans += [plan for plan in self.plans if plan.startswith("SCAN performance_reports")]
        self.assertEqual(scans, [])
        for index in ("components_digest", "components_feature", "components_name", "reports_voices"):
            self.assertTrue([plan for plan in self.plans if index in plan], index)

    def test_verdicts(self) -> None:
        """A verdict is counted by as many statements under whichever number of ids, and writes those that change."""
        components = SqlComponents(self.execute, self.execute)
        many = [*range(100)]
        for digest, ids in (("one", many[:1]), ("many", many)):
            for i in ids:
                self.connection.execute(
                    "INSERT INTO shared_components (ai_id, component_id, kind, seq, name, feature, digest,"
                    " development_level, timestamp, body) VALUES (?, ?, 'component', ?, '', '', ?, 0, '', '{}')",
                    (f"a{i}", digest, i, digest),
                )
        found = []
        for digest in ("one", "many"):
            for voice in ("b", "b", "a0"):
                self.connection.execute(
                    "INSERT OR IGNORE INTO performance_reports (ai_id, component_id, digest, seq, verdict, timestamp,"
                    " body) VALUES (?, 'x', ?, 1, 'confirmed', '', '{}')",
                    (voice, digest),
                )
                self.executed = 0
                before = self.connection.total_changes
                components.countVerdicts(digest)
                found.append((digest, voice, self.executed, self.connection.total_changes - before))
        # Said again it changes nothing; and an author's own says nothing about his.
        one = [("one", "b", 3, 1), ("one", "b", 2, 0), ("one", "a0", 2, 0)]
        self.assertEqual(found, [*one, ("many", "b", 3, 100), ("many", "b", 2, 0), ("many", "a0", 3, 99)])
