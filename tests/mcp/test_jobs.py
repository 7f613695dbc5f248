"""Tests of C{kernelnet.mcp.jobs}: progress that never goes back, cancelling, bounds, and mistakes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.mcp import jobs as module
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.jobs import MAX_WAITING, Jobs, Work


class JobsTests(SynchronousTestCase):
    def run_(self, work: Callable[[Jobs], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            await work(Jobs())

        asyncio.run(main())

    def test_result(self) -> None:
        """What is done soon is answered at once."""

        async def work(jobs: Jobs) -> None:
            answer = await jobs.run("add", lambda work: 1 + 1)
            self.assertEqual((answer.state, answer.result, answer.progress), ("done", 2, 1.0))

        self.run_(work)

    def test_progress(self) -> None:
        """Progress is told while a call waits, each time more than before; then the answer names the job."""
        self.patch(module, "PATIENCE", 3.5)
        go, told = threading.Event(), []

        def slow(work: Work) -> str:
            for progress in (0.2, 0.1, 0.6):
                work.tell(progress, "measuring")
                go.wait(1)
            go.wait(20)
            return "found"

        async def tell(progress: float, words: str) -> None:
            told.append(progress)

        async def work(jobs: Jobs) -> None:
            answer = await jobs.run("slow", slow, tell)
            self.assertEqual(answer.state, "running")
            self.assertIn(f"get_job with {answer.job}", answer.words)
            self.assertEqual(told, sorted(set(told)))
            self.assertGreater(len(told), 1)
            go.set()
            job = jobs.find(answer.job)
            await jobs.wait(job, 20)
            self.assertEqual(job.answer().result, "found")

        self.run_(work)

    def test_cancelled(self) -> None:
        """Whoever gives up a call cancels its job; a job that is cancelled sees it at its next look."""

        def endless(work: Work) -> None:
            while True:
                work.look()
                threading.Event().wait(0.01)

        async def work(jobs: Jobs) -> None:
            call = asyncio.ensure_future(jobs.run("endless", endless))
            await asyncio.sleep(0.1)
            call.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await call
            (job,) = jobs._jobs.values()
            await jobs.wait(job, 20)
            self.assertEqual(job.answer().state, "cancelled")

        self.run_(work)

    def test_bounds(self) -> None:
        """So many jobs run and wait at most; one more is told which these are."""
        go = threading.Event()
        self.addCleanup(go.set)

        async def work(jobs: Jobs) -> None:
            first = jobs.start("wait", lambda work: go.wait(20))
            for _ in range(MAX_WAITING - 1):
                jobs.start("wait", lambda work: go.wait(20))
            with self.assertRaisesRegex(AgentError, f"6 jobs run or wait already .*{first.name}"):
                jobs.start("wait", lambda work: None)
            go.set()
            for job in list(jobs._jobs.values()):
                await jobs.wait(job, 20)
            self.assertEqual((await jobs.run("more", lambda work: 3)).result, 3)

        self.run_(work)

    def test_mistakes(self) -> None:
        """An agent's mistake is told with its words; one of ours is logged, and its words stay there."""

        def wrong(work: Work) -> None:
            raise AgentError("give a whole source")

        def broken(work: Work) -> None:
            raise KeyError("secret")

        async def work(jobs: Jobs) -> None:
            with self.assertRaisesRegex(AgentError, "^give a whole source$"):
                await jobs.run("wrong", wrong)
            with self.assertRaisesRegex(AgentError, "mistake of kernelnet's"):
                await jobs.run("broken", broken)

        self.run_(work)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
