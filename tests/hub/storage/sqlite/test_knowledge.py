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

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        for *_, detail in self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters):
            self.plans.append(detail)
        return self.connection.execute(sql, parameters)

    def test_noScan(self) -> None:
        """Nothing that is done for a share, a report or a feature request goes through a whole table."""
        components = SqlComponents(self.execute, self.execute)
        reports = SqlReports(self.execute, self.execute)
        components.best("fs", "a")
        components.idsWith("d", "a", "c", 16)
        components.countVerdicts("d", ("a", "c"))
        components.countVerdicts("d")
        components.followRules("d", "a", 1)
        reports.idsOn("d", "a", "c", 16)
        scans = [plan for plan in self.plans if plan.startswith("SCAN") and "shared_" in plan]
        scans += [plan for plan in self.plans if plan.startswith("SCAN performance_reports")]
        self.assertEqual(scans, [])
        for index in ("components_digest", "components_feature", "components_name", "reports_voices"):
            self.assertTrue([plan for plan in self.plans if index in plan], index)
