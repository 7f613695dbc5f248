"""
Jobs: what takes long runs in threads; an agent polls, is told the progress, and may cancel.

A call waits a few seconds for its job, so most answers come at once; what takes longer is asked for by C{get_job}.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel
from twisted.logger import Logger

from kernelnet.mcp.errors import AgentError, Cancelled
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["PATIENCE", "Answer", "Job", "Jobs", "Tell", "Work"]

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a call waits for its own job: clients' idle timers are longer."""

MAX_RUNNING = 2
MAX_WAITING = 6
MAX_KEPT = 50
"""Maximum number of jobs that run at once, that wait or run, and whose results are remembered."""

State = Literal["waiting", "running", "done", "failed", "cancelled"]

Tell = Callable[[float, str], Awaitable[None]]
"""Is told the progress of a job, from 0 to 1, and in words."""

log = Logger(namespace="kernelnet.mcp")


class Answer(BaseModel, Generic[T]):
    """A job as its agent sees it: where it is not done, ask get_job with its name."""

    job: str
    state: State
    seconds: float
    progress: float
    words: str = ""
    result: T | None = None


class Work:
    """Handle of a job for its function, which tells its progress there, and sees that it was cancelled."""

    def __init__(self) -> None:
        self.progress = 0.0
        self.words = ""
        self._cancelled = threading.Event()
        self._onCancel: list[Callable[[], object]] = []

    def tell(self, progress: float, words: str = "") -> None:
        """Progress never goes back.  @raise Cancelled: it was."""
        self.progress, self.words = max(self.progress, min(1.0, progress)), words or self.words
        self.look()

    def look(self) -> None:
        """@raise Cancelled: it was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled("cancelled")

    def onCancel(self, function: Callable[[], object]) -> None:
        """Have a function called, from any thread, when it is cancelled."""
        self._onCancel.append(function)
        if self._cancelled.is_set():
            function()

    def cancel(self) -> None:
        self._cancelled.set()
        for function in self._onCancel:
            function()


class Job(Generic[T]):
    """
    One piece of work in a thread of its own.

    @ivar ended: is set in the loop's thread when it has ended, however it did.
    """

    def __init__(self, name: str, function: Callable[[Work], T]) -> None:
        self.name = name
        self.work = Work()
        self.state: State = "waiting"
        self.result: T | None = None
        self.error = ""
        self.ended = asyncio.Event()
        self.began = time.monotonic()
        self.seconds = 0.0
        self._function = function
        self._loop = asyncio.get_running_loop()

    def run(self, turn: threading.Semaphore) -> None:
        """In its thread."""
        with turn:
            self.began = time.monotonic()
            self.state = "running"
            state: State = "failed"
            try:
                self.work.look()
                self.result = self._function(self.work)
                state = "done"
            except Cancelled:
                state, self.error = "cancelled", "it was cancelled"
            except (AgentError, WorkbenchError) as error:
                self.error = str(error)
            except Exception:
                log.failure("the job {name} failed", name=self.name)
                self.error = "it failed by a mistake of kernelnet's, which stands in its log"
            self.seconds = time.monotonic() - self.began
            self.state = state
        with contextlib.suppress(RuntimeError):  # the process ends, and nobody waits any more
            self._loop.call_soon_threadsafe(self.ended.set)

    def answer(self) -> Answer[T]:
        """
        State of the job, for its agent.

        @raise AgentError: it failed.
        """
        if self.state == "failed":
            raise AgentError(self.error)
        going = time.monotonic() - self.began if self.state in ("waiting", "running") else self.seconds
        words = self.error or (self.work.words if self.state != "done" else "")
        if self.state in ("waiting", "running"):
            words = f"{words or 'not done yet'}; ask get_job with {self.name}".lstrip("; ")
        progress = 1.0 if self.state == "done" else self.work.progress
        return Answer(
            job=self.name,
            state=self.state,
            seconds=round(going, 2),
            progress=round(progress, 3),
            words=words,
            result=self.result,
        )


class Jobs:
    """The jobs of one process, of which a few run at once; used in the thread of an asyncio loop."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job[Any]] = {}
        self._turn = threading.Semaphore(MAX_RUNNING)

    def start(self, kind: str, function: Callable[[Work], T]) -> Job[T]:
        """
        Begin a job.

        @param kind: the tool, for the job's name.
        @raise AgentError: there are too many already.
        """
        going = [job.name for job in self._jobs.values() if not job.ended.is_set()]
        if len(going) >= MAX_WAITING:
            raise AgentError(
                f"{len(going)} jobs run or wait already ({', '.join(going)}): wait by get_job, or use cancel_job"
            )
        job = Job(f"{kind}-{secrets.token_hex(4)}", function)
        self._jobs[job.name] = job
        while len(self._jobs) > MAX_KEPT:
            del self._jobs[next(name for name, each in self._jobs.items() if each.ended.is_set())]
        # A policy that runs long must not keep the process from ending.
        threading.Thread(target=job.run, args=(self._turn,), name=f"kernelnet-{job.name}", daemon=True).start()
        return job

    async def run(self, kind: str, function: Callable[[Work], T], tell: Tell | None = None) -> Answer[T]:
        """Begin a job, and wait a little for it; whoever is cancelled meanwhile cancels it."""
        job = self.start(kind, function)
        try:
            await self.wait(job, PATIENCE, tell)
        except asyncio.CancelledError:
            job.work.cancel()
            raise
        return job.answer()

    async def wait(self, job: Job[Any], seconds: float, tell: Tell | None = None) -> None:
        """Wait for a job for so long at most; C{tell} hears of its progress, each time more than before."""
        until = time.monotonic() + seconds
        last = -1.0
        while not job.ended.is_set() and (left := until - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(job.ended.wait(), min(1.0, left))
            except TimeoutError:
                if tell is not None and job.work.progress > last:
                    last = job.work.progress
                    await tell(last, job.work.words)

    def find(self, name: str) -> Job[Any]:
        """@raise AgentError: there is none of that name."""
        if name not in self._jobs:
            known = ", ".join(list(self._jobs)[-5:]) or "none"
            raise AgentError(f"there is no job {name[:40]!r}; the last ones are: {known}")
        return self._jobs[name]

    def cancelAll(self) -> None:
        """The process ends."""
        for job in self._jobs.values():
            job.work.cancel()
