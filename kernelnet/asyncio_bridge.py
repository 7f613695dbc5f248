"""
Lets coroutines of ours be awaited in Twisted, under its asyncio reactor, and under plain C{asyncio.run}.

Plain asyncio has no Twisted reactor: one is started, once for the process, in a daemon thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRestartable

__all__ = ["inReactor"]

T = TypeVar("T")

_starting = threading.Lock()


def inReactor(make: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
    """
    Run the coroutine that C{make} returns in the reactor's thread.

    @return: a C{Deferred} in Twisted code, a coroutine in an asyncio task.  Cancelling the task cancels the work, and
        ends when that has ended: it may be started again at once.
    """
    task = _currentTask()
    if _reactorRunsHere():
        result = Deferred.fromCoroutine(make())
        if task is None:
            return result
        # not the Deferred's own cancellation: it would not wait
        done = task.get_loop().create_future()
        result.addCallbacks(done.set_result, lambda failure: done.set_exception(failure.value))
        return _finished(done, result.cancel)
    if task is None:
        raise RuntimeError("await this in asyncio.run(), or in Twisted code while the reactor runs")
    reactor = _backgroundReactor()
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    running: list[Deferred[T]] = []

    def start() -> None:
        deferred = Deferred.fromCoroutine(make())
        running.append(deferred)
        deferred.addCallbacks(outcome.set_result, lambda failure: outcome.set_exception(failure.value))

    def cancel() -> None:
        for deferred in running:
            deferred.cancel()

    reactor.callFromThread(start)
    return _finished(asyncio.wrap_future(outcome), lambda: reactor.callFromThread(cancel))


async def _finished(future: asyncio.Future[T], cancel: Callable[[], None]) -> T:
    """The result of C{future}; whoever awaits it and is cancelled waits until what C{cancel} stops has ended."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancel()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # it is the cancellation's, and has been looked at
        raise


def _currentTask() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _reactorRunsHere() -> bool:
    if "twisted.internet.reactor" not in sys.modules:
        return False
    from twisted.internet import reactor
    from twisted.python.threadable import isInIOThread

    return bool(reactor.running and isInIOThread())


def _backgroundReactor() -> Any:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    with _starting:
        if reactor.running:
            return reactor
        ready = threading.Event()
        reactor.callWhenRunning(ready.set)

        def run() -> None:
            try:
                reactor.run(installSignalHandlers=False)
            except ReactorNotRestartable:
                ready.set()

        threading.Thread(target=run, name="kernelnet-reactor", daemon=True).start()
        ready.wait()
        if not reactor.running:
            raise RuntimeError(
                "Twisted's reactor has run in this process and was stopped, and can't run again: await this within it"
            )
    return reactor
