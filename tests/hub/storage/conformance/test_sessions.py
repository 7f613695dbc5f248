"""Collaborations: each statement, the moves between states, and the orders in which they are listed."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.storage.statements.sessions import NewSession, SessionOutcome, SessionRecord, SessionState
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import NOW, EngineTestCase


class SessionsTestCase(EngineTestCase):
    def offer(self, id: str = "s", invited: tuple[str, ...] = ("b", "c"), at: float = 0, **fields: Any) -> None:
        session = NewSession(
            id, "a", "feature", f"about {id}", "offered", invited, b'{"of":"%s"}' % id.encode(), NOW + at, NOW + at + 60
        )
        self.write(lambda transaction: transaction.sessions.insert(session._replace(**fields)))

    def activate(self, id: str, partner: str) -> None:
        self.write(lambda transaction: transaction.sessions.activate(id, partner, NOW + 9, NOW))

    def find(self, id: str = "s") -> SessionState:
        found = self.ask(lambda reader: reader.sessions.find(id))
        assert found is not None
        return found

    def record(self, id: str = "s") -> SessionRecord:
        (found,) = self.ask(lambda reader: reader.sessions.beginning(id, 1))
        return found

    def transcript(self, id: str = "s") -> bytes | None:
        return self.ask(lambda reader: reader.sessions.transcriptOf(id))

    def due(self, after: float, limit: int = 9) -> list[str]:
        return [state.id for state in self.ask(lambda reader: reader.sessions.due(NOW + after, limit))]

    def open(self, aiId: str, limit: int = 9) -> list[bytes]:
        return self.ask(lambda reader: reader.sessions.openFor(aiId, limit))


@onEveryEngine
class MoveTests(SessionsTestCase):
    def test_offered(self) -> None:
        """A session that was offered has no partner yet; the invited are kept in their order, by later engines too."""
        self.offer(invited=("c", "b", "é"))
        self.again()
        self.assertEqual(self.find(), SessionState("s", "a", "feature", "offered", None, ["c", "b", "é"], []))
        expected = SessionRecord(
            "s", "a", "feature", "about s", "offered", None, ["c", "b", "é"], [], None, NOW, NOW, None, b'{"of":"s"}'
        )
        self.assertEqual(self.record(), expected)
        self.assertIsNone(self.ask(lambda reader: reader.sessions.find("S")))
        self.assertIsNone(self.transcript())

    def test_toNobody(self) -> None:
        """One that nobody was invited to has ended already."""
        self.offer(invited=(), state="expired", expiresAt=None)
        self.assertEqual((self.find().state, self.find().invited, self.due(1e9)), ("expired", [], []))

    def test_declined(self) -> None:
        """Who declined is kept in order; all else stays but the time of the change."""
        self.offer()
        before = self.record()
        self.write(lambda transaction: transaction.sessions.setDeclined("s", ["c", "b"], NOW + 1.5))
        self.assertEqual(self.record(), before._replace(declined=["c", "b"], changedAt=NOW + 1.5))
        self.assertEqual(self.find().declined, ["c", "b"])

    def test_active(self) -> None:
        """One that was accepted has a partner and another end."""
        self.offer()
        before = self.record()
        self.write(lambda transaction: transaction.sessions.activate("s", "b", NOW + 200, NOW + 5))
        self.assertEqual(self.record(), before._replace(state="active", partner="b", changedAt=NOW + 5))
        self.assertEqual((self.find().partner, self.due(199.9), self.due(200)), ("b", [], ["s"]))

    def test_partners(self) -> None:
        """Who works on what is known while it is active, and how many each completed afterwards."""
        for id_, partner in (("s3", "b"), ("s1", "b"), ("s2", "c"), ("s4", "a")):
            self.offer(id_)
            self.activate(id_, partner)
        self.offer("s5")
        self.write(lambda transaction: transaction.sessions.end("s4", "completed", NOW))
        self.again()
        taken = self.ask(lambda reader: reader.sessions.takenBy("b", 9))
        self.assertEqual(
            [(state.id, state.state, state.partner) for state in taken],
            [
                ("s1", "active", "b"),
                ("s3", "active", "b"),
            ],
        )
        self.assertEqual([state.id for state in self.ask(lambda reader: reader.sessions.takenBy("b", 1))], ["s1"])
        self.assertEqual(self.ask(lambda reader: reader.sessions.takenBy("a", 9)), [])
        self.assertEqual(self.ask(lambda reader: reader.sessions.partners()), {"b", "c"})
        self.write(lambda transaction: transaction.sessions.end("s1", "completed", NOW))
        self.write(lambda transaction: transaction.sessions.end("s2", "declined", NOW))
        self.assertEqual(self.ask(lambda reader: reader.sessions.completedBy()), {"a": 1, "b": 1})
        self.assertEqual(self.ask(lambda reader: reader.sessions.partners()), {"b"})

    def test_ended(self) -> None:
        """One that ended is never due; partner and component stay."""
        self.offer()
        self.write(lambda transaction: transaction.sessions.activate("s", "b", NOW + 200, NOW + 5))
        self.write(lambda transaction: transaction.sessions.setComponent("s", "c7"))
        before = self.record()
        self.assertEqual((before.component, before.changedAt), ("c7", NOW + 5))
        self.write(lambda transaction: transaction.sessions.end("s", "completed", NOW + 9))
        self.assertEqual(self.record(), before._replace(state="completed", changedAt=NOW + 9))
        self.assertEqual((self.due(1e9), self.open("c")), ([], []))

    def test_transcript(self) -> None:
        """What was told is there byte by byte, the last of it."""
        self.offer()
        self.write(lambda transaction: transaction.sessions.setTranscript("s", b'[{"a":"\xc3\xa9"}]', NOW + 1))
        self.write(lambda transaction: transaction.sessions.setTranscript("s", b"[1]", NOW + 2))
        self.assertEqual((self.transcript(), self.record().transcript), (b"[1]", b"[1]"))
        self.assertEqual((self.record().changedAt, self.record().createdAt), (NOW + 2, NOW))

    def test_others(self) -> None:
        """No move touches another session, nor makes one that is not there."""
        self.offer("s")
        self.offer("t")
        before = self.record("t")

        def move(transaction: Transaction) -> None:
            for id_ in ("s", "x"):
                transaction.sessions.setDeclined(id_, ["b"], NOW + 1)
                transaction.sessions.setComponent(id_, "c7")
                transaction.sessions.setTranscript(id_, b"[]", NOW + 1)
                transaction.sessions.activate(id_, "b", NOW + 1, NOW + 1)
                transaction.sessions.end(id_, "declined", NOW + 1)

        self.write(move)
        self.assertEqual(self.record("t"), before)
        self.assertIsNone(self.ask(lambda reader: reader.sessions.find("x")))
        self.assertEqual(self.ask(lambda reader: reader.sessions.countByState()), {"declined": 1, "offered": 1})

    def test_undone(self) -> None:
        """A move that is undone never was."""
        self.offer()
        before = self.record()

        def fails(transaction: Transaction) -> None:
            transaction.sessions.activate("s", "b", NOW + 200, NOW + 5)
            transaction.sessions.setTranscript("s", b"[]", NOW + 5)
            found = transaction.sessions.find("s")
            assert found is not None
            self.assertEqual((found.state, transaction.sessions.transcriptOf("s")), ("active", b"[]"))
            raise ValueError("mine")

        self.commit(fails)
        self.assertEqual((self.record(), self.due(60)), (before, ["s"]))

    def test_ownLists(self) -> None:
        """Who changes a list that it was given changes nothing that is stored."""
        self.offer()
        self.find().invited.append("x")
        self.record().declined.append("x")
        self.assertEqual((self.find().invited, self.find().declined), (["b", "c"], []))


@onEveryEngine
class ListTests(SessionsTestCase):
    def test_due(self) -> None:
        """Those whose time is over, at that moment and not before, the longest over first, then by id."""
        for id_, at in (("c", 5), ("b", 5), ("d", 1), ("a", 9)):
            self.offer(id_, expiresAt=NOW + at)
        self.offer("never", expiresAt=None)
        self.assertEqual(self.due(0.9), [])
        self.assertEqual(self.due(1), ["d"])
        self.assertEqual(self.due(9), ["d", "b", "c", "a"])
        self.assertEqual(self.due(9, 2), ["d", "b"])

    def test_open(self) -> None:
        """Invitations that can still be accepted, the newest first, then by id."""
        for id_, at in (("b", 1), ("a", 1), ("d", 3), ("c", 2)):
            self.offer(id_, at=at)
        self.assertEqual(self.open("b"), [b'{"of":"%s"}' % id_ for id_ in (b"d", b"c", b"a", b"b")])
        self.assertEqual(self.open("b", 2), [b'{"of":"d"}', b'{"of":"c"}'])
        self.write(lambda transaction: transaction.sessions.setDeclined("d", ["b"], NOW))
        self.write(lambda transaction: transaction.sessions.activate("c", "b", NOW + 99, NOW))
        self.write(lambda transaction: transaction.sessions.end("a", "expired", NOW))
        self.assertEqual((self.open("b"), self.open("c")), ([b'{"of":"b"}'], [b'{"of":"d"}', b'{"of":"b"}']))
        self.assertEqual((self.open("a"), self.open("")), ([], []))

    def test_invitedExactly(self) -> None:
        """Who is invited is told by the whole id."""
        self.offer(invited=("AI_1", 'x"y'))
        self.assertEqual(
            [len(self.open(aiId)) for aiId in ("AI_1", "AI", "AI_11", "AI__", 'x"y', "x")], [1, 0, 0, 0, 1, 0]
        )

    def page(self, *args: Any) -> list[str]:
        return [record.id for record in self.ask(lambda reader: [*reader.sessions.page(*args)])]

    def test_page(self) -> None:
        """The last that changed first, then the highest id; a page goes on behind the last one seen."""
        for id_, at in (("b", 1), ("a", 1), ("d", 3), ("c", 2), ("e", 1)):
            self.offer(id_, at=at)
        self.assertEqual(self.page(None, None, 9, True), ["d", "c", "e", "b", "a"])
        self.assertEqual(self.page(None, None, 2, True), ["d", "c"])
        self.assertEqual(self.page(None, (NOW + 2, "c"), 2, True), ["e", "b"])
        self.assertEqual(self.page(None, (NOW + 1, "b"), 9, True), ["a"])
        self.assertEqual(self.page(None, (NOW + 1, "a"), 9, True), [])
        self.assertEqual(self.page(None, (NOW + 1.5, ""), 9, True), ["e", "b", "a"])
        self.write(lambda transaction: transaction.sessions.end("a", "expired", NOW + 9))
        self.assertEqual(self.page(None, None, 1, True), ["a"])
        self.assertEqual(self.page("expired", None, 9, True), ["a"])
        self.assertEqual(self.page("offered", (NOW + 2, "c"), 9, True), ["e", "b"])
        self.assertEqual(self.page("declined", None, 9, True), [])

    def test_columns(self) -> None:
        """A page holds no invitations, and transcripts only where they were asked for."""
        self.offer()
        self.write(lambda transaction: transaction.sessions.setTranscript("s", b"[1]", NOW + 1))
        whole = self.record()
        self.assertEqual((whole.transcript, whole.invitation), (b"[1]", b'{"of":"s"}'))
        for transcripts in (True, False):
            (found,) = self.pageWith(transcripts)
            self.assertEqual(found, whole._replace(invitation=None, transcript=b"[1]" if transcripts else None))

    def pageWith(self, transcripts: bool) -> list[SessionRecord]:
        return self.ask(lambda reader: [*reader.sessions.page(None, None, 9, transcripts)])

    def test_beginning(self) -> None:
        """By the beginning of their ids, in the order of these."""
        for id_ in ("abd", "abc", "b", "aB", "ab%", "é"):
            self.offer(id_)
        self.assertEqual(self.ids("ab"), ["ab%", "abc", "abd"])
        self.assertEqual(self.ids("ab", 2), ["ab%", "abc"])
        self.assertEqual(self.ids("ab%"), ["ab%"])
        self.assertEqual(self.ids(""), ["aB", "ab%", "abc", "abd", "b", "é"])
        self.assertEqual(self.ids("x"), [])

    def ids(self, beginning: str, limit: int = 9) -> list[str]:
        return [record.id for record in self.ask(lambda reader: reader.sessions.beginning(beginning, limit))]

    def test_counts(self) -> None:
        """As many as there are in each state; none are not named."""
        self.assertEqual(self.ask(lambda reader: reader.sessions.countByState()), {})
        for id_, state in (("a", "offered"), ("b", "expired"), ("c", "offered")):
            self.offer(id_, state=state)
        self.assertEqual(self.ask(lambda reader: reader.sessions.countByState()), {"offered": 2, "expired": 1})

    def test_outcomes(self) -> None:
        """What came of all of them, by id."""
        self.offer("b", type="other")
        self.offer("a")
        self.write(lambda transaction: transaction.sessions.setTranscript("b", b"[1]", NOW + 1))
        self.write(lambda transaction: transaction.sessions.setComponent("b", "c7"))
        expected = [SessionOutcome("feature", None, None), SessionOutcome("other", "c7", b"[1]")]
        self.assertEqual(self.ask(lambda reader: [*reader.sessions.outcomes()]), expected)
