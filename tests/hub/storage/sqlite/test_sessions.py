"""Collaborations in SQLite: columns that somebody else wrote."""

from __future__ import annotations

from kernelnet.hub.storage.statements.sessions import NewSession
from tests.hub.databases import OnSqlite
from tests.hub.storage.conformance.support import NOW, EngineTestCase


class TextTests(EngineTestCase):
    def test_transcript(self) -> None:
        """A transcript that a shell put there as text is given as bytes, wherever it is asked for."""
        session = NewSession("s", "a", "t", "d", "offered", ["b"], b"{}", NOW, NOW + 1)
        self.write(lambda transaction: transaction.sessions.insert(session))
        assert isinstance(self.database, OnSqlite)
        self.database.writer.connection.execute("UPDATE collaboration_sessions SET transcript = '[1]'")
        found = [
            self.ask(lambda reader: reader.sessions.transcriptOf("s")),
            *(one.transcript for one in self.ask(lambda reader: reader.sessions.beginning("s", 9))),
            *(one.transcript for one in self.ask(lambda reader: [*reader.sessions.page(None, None, 9, True)])),
            *(one.transcript for one in self.ask(lambda reader: [*reader.sessions.outcomes()])),
        ]
        self.assertEqual(found, [b"[1]"] * 4)
