"""Rows stored without messages: a bound of a thousand components takes a moment to reach."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.components import NewComponent
from kernelnet.hub.storage.statements.reports import NewReport
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.support import TIMESTAMP, HubTestCase

__all__ = ["ManyTestCase", "component", "report"]


class ManyTestCase(HubTestCase):
    """@ivar seq: of the last row."""

    seq = 0

    def store(self, *rows: NewComponent | NewReport) -> None:
        """Store rows, in this order, and count the verdicts on what they are about."""

        def store(transaction: Transaction) -> None:
            for row in rows:
                self.seq += 1
                event = Event(self.seq, "", None, b"")
                if isinstance(row, NewComponent):
                    transaction.components.put(event, row)
                else:
                    transaction.reports.put(event, row)
            for digest in {row.digest for row in rows}:
                transaction.components.countVerdicts(digest)

        self.hub.transact(store)


def component(id: str, digest: str = "d", level: float = 0.5, source: str = "") -> NewComponent:
    """A component of the AI C{author}; all claim something on one task.  Its body is what views of many read of it."""
    claim = {"workbench": "file_system", "trace": "t", "trace_digest": "1" * 64, "settings": {"capacity": 4}}
    manifest = {"workbench": "file_system", "wasm_sha256": "3" * 64, "report": claim}
    body = msgspec.json.encode({"id": id, "implementation": source, "manifest": manifest})
    return NewComponent("author", id, "component", id, "file_system", digest, level, TIMESTAMP, body)


def report(reporter: str, digest: str = "d", verdict: str = "confirmed", **performance: Any) -> NewReport:
    """A report of C{reporter} on these bytes."""
    body = msgspec.json.encode({"component_id": "c", "performance": performance})
    return NewReport(reporter, "c", digest, verdict, "", body)
