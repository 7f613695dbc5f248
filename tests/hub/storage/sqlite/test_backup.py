"""A copy of the database file: whoever waits for it is told how far it is."""

from __future__ import annotations

from pathlib import Path

from kernelnet.hub.storage.sqlite import backup
from tests.hub.support import HubTestCase


class CopyTests(HubTestCase):
    def test_told(self) -> None:
        """It is told again and again, after so many pages each time, and at the end of all."""
        self.patch(backup, "_STEP", 8)
        told: list[tuple[int, int | None]] = []

        def tell(what: str, done: int, total: int | None) -> None:
            if what == "copying":
                told.append((done, total))

        backup.backUp(self.hub.sqlite.path, Path(self.mktemp()), tell)
        pages = self.hub.sqlite.reader.connection.execute("PRAGMA page_count").fetchone()[0]
        self.assertGreater(pages, 16)
        self.assertEqual(told, [(min(done, pages), pages) for done in range(8, pages + 8, 8)])
