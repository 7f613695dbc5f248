"""
Work that can wait: a search lets go before whoever proves something.

A search takes all the time that it is given, on every core.  What measures a peer's claim, guards a candidate or
answers the hub takes seconds, and others wait for it.  On a machine with more to do than cores that comes first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["LOWER", "atLowPriority"]

LOWER = 5
"""
Steps of niceness: about a third of what another thread gets where both want the processor.

Not more: a thread that has Python's lock and must wait long for a processor keeps the others of its process waiting.
"""

T = TypeVar("T")


def atLowPriority(function: Callable[[], T]) -> T:
    """
    Call a function in a thread of its own, which lets others go first, and so do all threads and processes it begins.

    Priority can't be raised again by an ordinary user, hence the thread.  It doesn't keep the process from ending.

    @raise BaseException: whatever the function raises.
    """
    done: Future[T] = Future()

    def run() -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            with contextlib.suppress(OSError):
                thread = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LOWER)
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="kernelnet-search", daemon=True).start()
    return done.result()
