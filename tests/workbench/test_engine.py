"""The one engine of a process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import engine
from kernelnet.workbench.engine import Ticker


class EngineTests(SynchronousTestCase):
    def test_oneEngine(self) -> None:
        """Threads that ask for the first engine at the same time get the same one."""
        made, barrier = [], threading.Barrier(4)

        def slowly() -> object:
            made.append(object())
            time.sleep(0)  # lets the others in where nothing keeps them out
            return made[-1]

        def ask() -> object:
            barrier.wait()
            return engine.engine()

        self.patch(engine, "_made", [])
        self.patch(engine, "_makeEngine", slowly)
        with ThreadPoolExecutor(4) as pool:
            found = {id(future.result()) for future in [pool.submit(ask) for _ in range(4)]}
        self.assertEqual((len(found), len(made)), (1, 1))

    def test_ticker(self) -> None:
        """The epoch moves on while something runs, and no longer."""
        ticks = []

        class Counted:
            def increment_epoch(self) -> None:
                ticks.append(time.monotonic())

        self.patch(engine, "engine", Counted)
        self.patch(engine, "TICK", 0.01)
        ticker = Ticker()
        with ticker.running():
            deadline = time.monotonic() + 10
            while len(ticks) < 2 and time.monotonic() < deadline:
                time.sleep(0.001)
        self.assertGreaterEqual(len(ticks), 2)
        # One that was under way when it ended is the last.
        most = len(ticks) + 1
        time.sleep(0.1)
        self.assertLessEqual(len(ticks), most)
