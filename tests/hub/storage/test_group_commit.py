"""Works applied in one transaction, on an engine that only writes down what is done to it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.group_commit import Applied, applyAll, applyEach
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.message import Hello, NetworkMessage
from kernelnet.wire import WireProblem
from tests.hub.support import NOON, anEvent

FULL = WireProblem("storage_full", "the disk is full")


class Recording(Transaction):
    """
    @ivar done: what was done.
    @ivar whole: whether what came before a savepoint survives an undo.
    """

    def __init__(self) -> None:
        super().__init__(NOON)
        self.done: list[str] = []
        self.whole = True

    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        return None

    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        self.done.append(message.message_id)

    def savepoint(self) -> None:
        super().savepoint()
        self.done.append("[")

    def undo(self) -> bool:
        super().undo()
        self.done.append("undone]")
        return self.whole

    def release(self) -> None:
        self.done.append("]")


class Appending:
    """Work that appends one message, notes and tells of it, and then may fail."""

    author = "AI_1"
    size = 1

    def __init__(self, name: str, error: Exception | None = None, source: object | None = None) -> None:
        self.name = name
        self.error = error
        self.source = source

    def withdrawn(self) -> WireProblem | None:
        return None

    def apply(self, transaction: Transaction) -> None:
        transaction.append(anEvent("AI_1", self.name, {}), b"{}", None)
        transaction.note("{name}", name=self.name)
        transaction.hellos.append((self.name, Hello(specialization="general"), NOON))
        transaction.enrolled.append(self.name)
        if self.error is not None:
            raise self.error

    def settle(self, problem: WireProblem | None) -> None:
        pass


class Refusing(Appending):
    """Work that is refused before it writes anything."""

    def apply(self, transaction: Transaction) -> None:
        raise WireProblem("invalid_message", "no")


class ApplyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transaction = Recording()
        self.problemOf: Callable[[BaseException], WireProblem] = lambda error: (
            error if isinstance(error, WireProblem) else FULL if isinstance(error, OSError) else WireProblem("busy", "")
        )

    def kept(self) -> tuple[int, list[object], list[str], list[str]]:
        made = self.transaction
        return len(made.events), [f["name"] for _, f in made.notes], [aiId for aiId, _, _ in made.hellos], made.enrolled

    def test_all(self) -> None:
        """Without savepoints: an orderly refusal stands alone, any other failure is the caller's."""
        refused, _ = applyAll(self.transaction, [Appending("a"), Refusing("b"), Appending("c")])
        self.assertEqual((list(refused), self.transaction.done), ([1], ["a", "c"]))
        with self.assertRaises(ValueError):
            applyAll(self.transaction, [Appending("d", ValueError("mine"))])

    def test_each(self) -> None:
        """What fails is undone with all that it told; the others stay."""
        error = ValueError("mine")
        refused, _ = applyEach(
            self.transaction, [Appending("a"), Appending("b", error), Appending("c")], self.problemOf
        )
        self.assertEqual(refused, {1: error})
        self.assertEqual(self.transaction.done, ["[", "a", "]", "[", "b", "undone]", "[", "c", "]"])
        self.assertEqual(self.kept(), (2, ["a", "c"], ["a", "c"], ["a", "c"]))

    def test_order(self) -> None:
        """After a refusal for now nothing more of its source is applied; that of others is, and of nobody's."""
        works = [
            Appending("a", OSError("full"), "one"),
            Appending("b", None, "one"),
            Appending("c", None, "two"),
            Appending("d", OSError("full"), None),
            Appending("e", None, None),
        ]
        refused, _ = applyEach(self.transaction, works, self.problemOf)
        self.assertEqual(list(refused), [0, 1, 3])
        self.assertIs(refused[1], FULL)
        self.assertEqual(self.kept()[1], ["c", "e"])

    def test_seconds(self) -> None:
        """When 10 ms are over no other work is begun; those behind are to be given again."""
        now = iter(range(1000))
        self.patch(group_commit, "perf_counter", lambda: next(now) * 0.004)
        for apply in (lambda works: applyAll(self.transaction, works), self.each):
            self.assertEqual(len(apply([Appending(str(n)) for n in range(9)]).costs), 3)

    def each(self, works: list[Appending]) -> Applied:
        return applyEach(self.transaction, works, self.problemOf)

    def test_lost(self) -> None:
        """Where nothing of the transaction is left, that is the caller's to know."""
        self.transaction.whole = False
        with self.assertRaises(OSError):
            applyEach(self.transaction, [Appending("a"), Appending("b", OSError("full"))], self.problemOf)
