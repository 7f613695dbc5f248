"""Ctrl-C while a command still imports, or a service has not begun: it ends quietly and at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "asUsual", "held", "quietly", "quietlyInTwistd", "throughReactor"]

INTERRUPTED = 130
"""Exit code of Ctrl-C, as shells have it: 128 and the signal's number."""


def quietly() -> None:
    """
    From now on Ctrl-C ends the process at once, whatever it does.

    C{KeyboardInterrupt} could be raised anywhere in an import: a traceback of no use, or somebody's C{except:} swallows
    it, such as that around the loading of plugins, and the process goes on.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def quietlyInTwistd(services: tuple[str, ...]) -> None:
    """The same, if this process is a C{twistd} for one of C{services}: nobody else's Ctrl-C is ours."""
    if Path(sys.argv[0]).name == "twistd" and not set(services).isdisjoint(sys.argv[1:]):
        quietly()


def asUsual() -> None:
    """From now on Ctrl-C raises C{KeyboardInterrupt} again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def held() -> Iterator[None]:
    """Have Ctrl-C raise C{KeyboardInterrupt} at the end of what is within, which would swallow it."""
    isOurs = threading.current_thread() is threading.main_thread()
    if not isOurs or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


def throughReactor(reactor: Any) -> None:
    """
    From now on Ctrl-C stops C{reactor}, in order; as soon as it runs, if it does not yet.

    Its own handler comes only once it runs, and what Deferreds call swallows C{KeyboardInterrupt} until then.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if reactor.running:
            reactor.sigInt(number, frame)
        else:
            reactor.callWhenRunning(reactor.sigInt, number, frame)

    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, stop)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
