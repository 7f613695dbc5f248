"""Commands on a server's database beside a hub of another machine."""

from __future__ import annotations

from pathlib import Path

from kernelnet.hub.storage.errors import DatabaseBusy
from kernelnet.hub.storage.postgres.offline import OfflinePostgres
from tests.hub.databases import OnPostgres
from tests.hub.storage.conformance.support import NOW, EngineTestCase, append


class BesideHubTests(EngineTestCase):
    databaseType = OnPostgres
    database: OnPostgres

    def test_refused(self) -> None:
        """A hub that runs elsewhere would not hear of what a command writes: it is refused, and nothing changes."""
        offline = OfflinePostgres(self.database.url, self.database.folder)
        file = Path(self.mktemp()).absolute()
        offline.backUp(file, lambda *_: None)
        for command in (
            lambda: offline.write(lambda transaction: append(transaction, "a", "m"), NOW),
            lambda: offline.restore(file, lambda *_: None),
        ):
            with self.assertRaisesRegex(DatabaseBusy, "another hub uses the database"):
                command()
        self.assertEqual(self.database.logged(), [])
        self.engine.close()
        self.assertEqual(offline.write(lambda transaction: append(transaction, "a", "m"), NOW).seq, 1)
        self.assertEqual(offline.restore(file, lambda *_: None)["events"], 0)
