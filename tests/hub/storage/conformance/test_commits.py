"""Works in one transaction: all or nothing of each, in order, and seen by nobody before it is committed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from kernelnet.hub.auth import tokens
from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken
from kernelnet.hub.storage.statements.components import NewComponent
from kernelnet.hub.storage.statements.log import Mark
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.statements.reports import NewReport
from kernelnet.hub.storage.statements.sessions import NewSession
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import Hello, MessageType
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import NOW, TIMESTAMP, EngineTestCase, FunctionWork, append


def markOf(name: str) -> Mark:
    """A mark for each name, in the order of these; a message's number is not known before it is committed."""
    return Mark(1000 + int.from_bytes(name.encode()[:2], "big"), NOW, 1)


def writeEverywhere(transaction: Transaction, name: str) -> None:
    """A row in each table, named so."""
    event = append(transaction, name, "m")
    transaction.patterns.put(event, NewPattern(name, "p", "loop", 0.5, "general", TIMESTAMP, b"{}"))
    component = NewComponent(name, "c", "component", "n", "f", name, 0.5, TIMESTAMP, b"{}")
    transaction.components.put(event, component)
    transaction.reports.put(event, NewReport(name, "c", name, "confirmed", TIMESTAMP, b"{}"))
    transaction.sessions.insert(NewSession(name, name, "t", "d", "offered", ["x"], b"{}", NOW, NOW + 1))
    transaction.tokens.insert(StoredToken(name, name, "issued", NOW, None, None, None))
    transaction.ais.save(StoredAi(name, b"{}", 2, NOW, None))
    transaction.marks.add([markOf(name)])
    transaction.note("{name} was here", name=name)
    transaction.hellos.append((name, Hello("general"), NOW))
    transaction.enrolled.append(name)
    transaction.completed.append(name)


def namesIn(reader: Reader) -> list[Any]:
    """Whose rows there are, table by table."""
    return [
        [header.sender for header in reader.log.headers(0, 99, 99)],
        sorted(pattern.author for pattern in reader.patterns.after(None)),
        sorted(component.author for component in reader.components.after(None)),
        reader.reports.count(),
        [record.id for record in reader.sessions.beginning("", 99)],
        sorted(reader.tokens.ids()),
        [ai.aiId for ai in reader.ais.all()],
        reader.marks.last(),
    ]


class Megabyte:
    """A message of some size."""


@onEveryEngine
class AtomicityTests(EngineTestCase):
    def fails(self, error: BaseException) -> Any:
        """A function that writes everywhere, and then raises."""

        def function(transaction: Transaction) -> None:
            writeEverywhere(transaction, "gone")
            raise error

        return function

    def test_alone(self) -> None:
        """A work that fails is undone alone, in every table; those before and after it stand, without a gap."""
        done = self.commit(
            lambda transaction: writeEverywhere(transaction, "a"),
            self.fails(self.database.poison),
            lambda transaction: writeEverywhere(transaction, "b"),
        )
        both = ["a", "b"]
        expected = [both, both, both, 2, both, both, both, markOf("b")]
        self.assertEqual(self.ask(namesIn), expected)
        self.assertEqual(done.refused, {1: self.database.poison})
        self.assertEqual([event.seq for event in done.committed.events], [1, 2])
        self.assertEqual([event.sender for event in done.committed.events], both)
        self.assertEqual([name for name, _, _ in done.committed.hellos], both)
        self.assertEqual((done.committed.enrolled, done.committed.completed), (both, both))
        self.assertEqual([fields["name"] for _, fields in done.notes], both)
        self.assertEqual(self.again().head, 2)
        self.assertEqual(self.ask(namesIn), expected)

    def test_first(self) -> None:
        """Also when the first one fails, or the last, or each."""
        for works in (
            (self.fails(ValueError()), writeEverywhereAs("a")),
            (writeEverywhereAs("b"), self.fails(KeyError())),
        ):
            self.commit(*works)
        self.assertEqual(self.ask(namesIn)[0], ["a", "b"])
        done = self.commit(self.fails(ValueError()), self.fails(ValueError()))
        self.assertEqual((sorted(done.refused), done.committed.events, done.notes), ([0, 1], [], []))
        self.assertEqual(self.ask(namesIn)[0], ["a", "b"])
        self.assertEqual(self.append("c", "m").seq, 3)

    def test_refusedIsLetGo(self) -> None:
        """Nothing of a refused work stays in memory, whatever becomes of its refusal, and without a collection."""
        left: list[weakref.ref[Megabyte]] = []

        def refuse() -> Callable[[Transaction], None]:
            message = Megabyte()
            left.append(weakref.ref(message))

            def function(transaction: Transaction) -> None:
                mine = message
                try:
                    raise KeyError(mine)
                except KeyError:
                    raise WireProblem("invalid_message", "no") from None

            return function

        gc.disable()
        self.addCleanup(gc.enable)
        for others in ((), (self.fails(self.database.poison),)):  # the latter: each in a savepoint of its own
            done = self.commit(refuse(), *others)
            self.assertIsInstance(done.refused[0], WireProblem)
            if others:
                done.refused[1].__traceback__ = None  # which the log tells
        self.assertEqual([each() for each in left], [None, None])

    def test_undoneReplacement(self) -> None:
        """What a failing work had put in the place of something, changed or removed is there again as it was."""
        self.write(writeEverywhereAs("a"))
        before = self.ask(everything)

        def fails(transaction: Transaction) -> None:
            event = append(transaction, "a", "m2")
            transaction.patterns.put(event, NewPattern("a", "p", "other", 0.9, "general", TIMESTAMP, b"[]"))
            transaction.components.put(event, NewComponent("a", "c", "code", "n", "f", "", 0.9, TIMESTAMP, b"[]"))
            transaction.reports.put(event, NewReport("a", "c", "a", "refuted", TIMESTAMP, b"[]"))
            transaction.sessions.end("a", "expired", NOW)
            transaction.tokens.revoke("a", NOW)
            transaction.ais.raiseReadSeq([(1, "a")])
            transaction.marks.add([Mark(1, 0, 9)])
            transaction.marks.remove(1, 9)
            raise ValueError("mine")

        self.commit(fails, lambda transaction: None)
        self.assertEqual(self.ask(everything), before)
        self.assertEqual(self.write(lambda transaction: transaction.find("a", "m2")), None)

    def test_refused(self) -> None:
        """A refusal in words is the one that the work raised, and leaves others alone."""
        problem = WireProblem("invalid_message", "no")

        def refuses(transaction: Transaction) -> None:
            raise problem

        done = self.commit(writeEverywhereAs("a"), refuses, writeEverywhereAs("b"))
        self.assertIs(done.refused[1], problem)
        self.assertEqual(self.ask(namesIn)[0], ["a", "b"])

    def test_retry(self) -> None:
        """
        After a failure for now nothing more of the same source is applied, so that its order holds.

        Others go on, as do those that belong to nobody.
        """
        mine, other = object(), object()

        def full(transaction: Transaction) -> None:
            raise self.database.full

        works = [
            FunctionWork(writeEverywhereAs("a"), mine),
            FunctionWork(full, mine),
            FunctionWork(writeEverywhereAs("b"), mine),
            FunctionWork(writeEverywhereAs("c"), other),
            FunctionWork(writeEverywhereAs("d")),
            FunctionWork(full),
            FunctionWork(writeEverywhereAs("e")),
        ]
        done = self.commit(*works)
        self.assertEqual(self.ask(namesIn)[0], ["a", "c", "d", "e"])
        self.assertEqual(sorted(done.refused), [1, 2, 5])
        self.assertEqual({self.engine.problemOf(error).code for error in done.refused.values()}, {"storage_full"})
        self.write(writeEverywhereAs("b"))  # another commit is another attempt

    def test_permanent(self) -> None:
        """After a refusal for good the same source goes on."""
        mine = object()
        works = FunctionWork(self.fails(self.database.poison), mine), FunctionWork(writeEverywhereAs("b"), mine)
        self.assertEqual(sorted(self.commit(*works).refused), [0])
        self.assertEqual(self.ask(namesIn)[0], ["b"])

    def test_nothing(self) -> None:
        """A commit that fails as a whole leaves nothing, and the next one goes on with the same numbers."""
        self.database.writer.error = self.database.full
        failed = self.engine.commit([FunctionWork(writeEverywhereAs("a"))], NOW)
        self.assertIs(self.failureResultOf(failed).value, self.database.full)
        self.database.writer.error = None
        self.assertEqual(self.ask(namesIn), [[], [], [], 0, [], [], [], None])
        self.assertEqual(self.append("b", "m").seq, 1)

    def test_twice(self) -> None:
        """A key that is there already fails the work that adds it, and that one alone."""
        session = NewSession("s", "a", "t", "d", "offered", ["x"], b"{}", NOW, NOW + 1)
        token = StoredToken("h", "a", "issued", NOW, None, None, None)
        for i, add in enumerate(
            (
                lambda transaction: transaction.sessions.insert(session),
                lambda transaction: transaction.tokens.insert(token),
                lambda transaction: append(transaction, "a", "same"),
            )
        ):
            self.write(add)
            done = self.commit(writeEverywhereAs(f"x{i}"), add, writeEverywhereAs(f"y{i}"))
            self.assertEqual([*done.refused], [1], i)
            self.assertEqual(self.engine.problemOf(done.refused[1]).code, "invalid_message")
            self.assertEqual(len(done.committed.events), 2)
        self.assertEqual([row.seq for row in self.database.logged()], [*range(1, 8)])


def writeEverywhereAs(name: str) -> Any:
    return lambda transaction: writeEverywhere(transaction, name)


def everything(reader: Reader) -> list[Any]:
    return [
        reader.log.headers(0, 99, 99),
        [*reader.patterns.after(None)],
        [*reader.components.after(None)],
        reader.reports.ofComponent("c", 9, 99),
        reader.sessions.beginning("", 99),
        reader.sessions.due(NOW + 99, 9),
        reader.tokens.all(),
        reader.ais.all(),
        reader.marks.last(),
    ]


@onEveryEngine
class OrderTests(EngineTestCase):
    def test_sees(self) -> None:
        """A work sees what it wrote itself, and what those before it in the same commit did."""

        def second(transaction: Transaction) -> list[Any]:
            writeEverywhere(transaction, "b")
            return namesIn(transaction)

        works = FunctionWork(writeEverywhereAs("a")), FunctionWork(second)
        self.commit(*works)
        both = ["a", "b"]
        self.assertEqual(works[1].result, [both, both, both, 2, both, both, both, markOf("b")])

    def test_inTime(self) -> None:
        """A commit that takes long leaves its last works, not begun, for another; the first it always does."""
        self.patch(group_commit, "MAX_SECONDS", 0.0)
        works = [FunctionWork(partial(append, sender="a", id=name)) for name in ("m1", "m2", "m3")]
        done = self.commit(*works)
        self.assertEqual(([work.calls for work in works], len(done.costs)), ([1, 0, 0], 1))
        self.assertEqual([event.seq for event in done.committed.events], [1])
        again = self.commit(FunctionWork(lambda t: append(t, "a", "m1")), *works[1:])  # a repetition: the careful way
        self.assertEqual(len(again.costs), 1)
        self.assertEqual(len(again.refused), 1)

    def test_many(self) -> None:
        """Hundreds of works in one commit keep their order, and each row its own content."""
        count = 300

        def put(i: int) -> Any:
            def function(transaction: Transaction) -> None:
                event = append(transaction, f"AI_{i % 3}", f"m{i}", to=["x", f"y{i}"])
                body = b"[%d]" % i
                transaction.patterns.put(event, NewPattern(f"AI_{i % 3}", f"p{i % 200}", "t", i / count, "", "", body))

            return function

        done = self.commit(*map(put, range(count)))
        self.assertEqual([event.seq for event in done.committed.events], [*range(1, count + 1)])
        self.assertEqual(
            [(row.seq, row.sender, row.messageId, row.recipients) for row in self.database.logged()],
            [(i + 1, f"AI_{i % 3}", f"m{i}", sorted(["x", f"y{i}"])) for i in range(count)],
        )
        found = self.ask(lambda reader: [*reader.patterns.after(None)])
        # An author's second version stands in the place of the first, if it is the same author's.
        newest = {(f"AI_{i % 3}", i % 200): i for i in range(count)}
        self.assertEqual(
            [(one.seq, one.body) for one in found],
            [(i + 1, b"[%d]" % i) for i in sorted(newest.values(), reverse=True)],
        )

    def test_now(self) -> None:
        """The transaction's time is that of its commit, and the hub's own messages bear it."""

        def tell(transaction: Transaction) -> float:
            transaction.tell(["x"], MessageType.HEARTBEAT, Hello("general"))
            return transaction.now

        self.assertEqual(self.write(tell, now=NOW + 0.5), NOW + 0.5)
        (header,) = self.ask(lambda reader: reader.log.headers(0, 9, 9))
        self.assertEqual((header.sender, header.messageType), ("hub", "heartbeat"))
        self.assertTrue(header.timestamp.startswith("2027-01-15T08:00:00.5"), header.timestamp)

    def test_appliedAgain(self) -> None:
        """A work may be applied again after a rollback, and what it did counts once."""
        work = FunctionWork(writeEverywhereAs("a"))

        def fails(transaction: Transaction) -> None:
            raise self.database.poison

        self.commit(work, fails)
        self.assertGreaterEqual(work.calls, 1)
        self.assertEqual(self.ask(namesIn)[:4], [["a"], ["a"], ["a"], 1])

    def test_empty(self) -> None:
        """A commit of works that write nothing is one, too."""
        done = self.commit(lambda transaction: None, lambda transaction: transaction.note("only this"))
        self.assertEqual((done.committed.events, done.refused, done.notes), ([], {}, [("only this", {})]))
        self.assertEqual(self.head(), 0)


@onEveryEngine
class VisibilityTests(EngineTestCase):
    def test_whileItRuns(self) -> None:
        """What reads while a commit runs sees nothing of it, and all of it afterwards."""
        self.write(writeEverywhereAs("a"))
        before = self.ask(everything)
        seen: list[Any] = []

        def looks(transaction: Transaction) -> None:
            writeEverywhere(transaction, "b")
            transaction.tokens.revoke("a", NOW)
            transaction.marks.remove(1, 1)
            seen.append(self.ask(everything))
            page = self.fired(self.engine.page(0, 99, "x"))
            seen.append([event.seq for event in page.events])

        self.write(looks)
        self.assertEqual(seen[-2:], [before, [1]])
        self.assertEqual(self.ask(namesIn)[0], ["b"])

    def test_whenItHasFired(self) -> None:
        """When a commit has fired, who reads sees it, and so does the next engine."""
        seen: list[Any] = []
        done = self.engine.commit([FunctionWork(writeEverywhereAs("a"))], NOW)
        done.addCallback(lambda _: seen.append(self.database.logged()))
        self.assertEqual([row.sender for row in seen[0]], ["a"])
        self.assertEqual(self.again().head, 1)

    def test_failed(self) -> None:
        """A reader's error is its own."""

        def fails(reader: Reader) -> None:
            raise KeyError("mine")

        self.failureResultOf(self.engine.read(fails), KeyError)
        self.assertEqual(self.ask(tokens.list_), [])
