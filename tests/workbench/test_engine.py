"""The one engine of a process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import engine
from kernelnet.workbench.engine import Ticker

PATIENCE = 60.0


class Pauses:
    """A clock's sleeps, each of which is over when the test says so."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[float] = SimpleQueue()
        self.over = threading.Semaphore(0)

    def sleep(self, seconds: float) -> None:
        self.begun.put(seconds)
        self.over.acquire()


class Watched(threading.Condition):
    """Says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting.set()
        return super().wait(timeout)


class EngineTests(SynchronousTestCase):
    def test_oneEngine(self) -> None:
        """Threads that ask for the first engine at the same time get the same one."""
        made, barrier = [], threading.Barrier(4)

        def slowly(metered: bool) -> object:
            made.append(object())
            time.sleep(0)  # lets the others in where nothing keeps them out
            return made[-1]

        def ask() -> object:
            barrier.wait()
            return engine.engine()

        self.patch(engine, "_made", {})
        self.patch(engine, "_makeEngine", slowly)
        with ThreadPoolExecutor(4) as pool:
            found = {id(future.result()) for future in [pool.submit(ask) for _ in range(4)]}
        self.assertEqual((len(found), len(made)), (1, 1))

    def test_ticker(self) -> None:
        """The epoch moves on while something runs, and no longer."""
        ticks: list[int] = []

        class Counted:
            def increment_epoch(self) -> None:
                ticks.append(len(ticks))

        pauses, changed = Pauses(), Watched()
        self.patch(engine, "_made", {True: Counted()})
        self.patch(engine, "time", pauses)
        ticker = Ticker()
        self.patch(ticker, "_changed", changed)
        with ticker.running():
            for _ in range(2):
                self.assertEqual(pauses.begun.get(timeout=PATIENCE), engine.TICK)
                pauses.over.release()
            pauses.begun.get(timeout=PATIENCE)
            self.assertEqual(len(ticks), 2)
            self.assertFalse(changed.waiting.is_set())
        pauses.over.release()  # one that was under way when it ended is the last
        self.assertTrue(changed.waiting.wait(PATIENCE))
        self.assertEqual((len(ticks), pauses.begun.empty()), (3, True))
