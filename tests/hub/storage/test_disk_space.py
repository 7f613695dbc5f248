"""The check of all rows, while the hub runs, on an engine that does not always answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.disk_space import checkAll
from kernelnet.hub.storage.engine import Engine
from kernelnet.wire import WireProblem


class CheckAllTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[float, int]] = []
        self.answers: list[Deferred[int | None]] = []

    def checkRows(self, after: int) -> Deferred[int | None]:
        self.asked.append((self.clock.seconds(), after))
        return self.answers.pop(0) if self.answers else Deferred()

    def isDamage(self, error: BaseException) -> bool:
        return isinstance(error, ValueError)

    def begin(self, *answers: Deferred[int | None]) -> None:
        """The check, on an engine that answers so."""
        self.asked.clear()
        self.answers = [*answers]
        engine = SimpleNamespace(checkRows=self.checkRows, isDamage=self.isDamage, problemOf=lambda error: error)
        self.done = Deferred.fromCoroutine(checkAll(cast(Engine, engine), 20, self.clock))

    def test_pauses(self) -> None:
        """Between two slices others have 20 ms; a database that doesn't answer is asked for the same a second later."""
        self.begin(succeed(10), fail(WireProblem("busy", "it starts again")), succeed(20))
        for seconds in (0.01, 0.01, 0.9, 0.1, 0.02):
            self.assertNoResult(self.done)
            self.clock.advance(seconds)
        self.assertEqual([after for _, after in self.asked], [0, 10, 10])
        self.assertEqual([round(at, 3) for at, _ in self.asked], [0, 0.02, 1.02])
        self.assertEqual(self.successResultOf(self.done), 20)

    def test_fails(self) -> None:
        """Damage, and what is not about to pass, end the check."""
        for error in (ValueError("damage"), WireProblem("invalid_message", "ours")):
            self.begin(fail(error))
            self.failureResultOf(self.done, type(error))
