"""
Back-pressure: reasons for which a client is not read for a while; what it sends meanwhile stays in its own buffers.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["BackPressure"]

_NONE: frozenset[str] = frozenset()
"""One for all: each empty set is an object of 216 bytes, and there may be ten thousand connections."""


class Source(Protocol):
    """Where bytes come from."""

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...


class BackPressure:
    """One connection's reasons not to be read; there may be several at once."""

    __slots__ = ("_clock", "_ended", "_reasons", "_slowed", "_source")

    def __init__(self, source: Source, clock: IReactorTime) -> None:
        self._source = source
        self._clock = clock
        self._reasons = _NONE
        self._slowed: IDelayedCall | None = None
        self._ended = False

    def __repr__(self) -> str:
        return f"<BackPressure {', '.join(sorted(self._reasons)) or 'none'}>"

    def __contains__(self, why: str) -> bool:
        return why in self._reasons

    def hold(self, why: str) -> None:
        """Read no more until all reasons are gone."""
        if not self._reasons:
            self._source.pauseProducing()
        self._reasons |= {why}

    def release(self, why: str) -> None:
        """This reason is gone."""
        if why in self._reasons:
            self._reasons = self._reasons - {why} or _NONE
            if not self._reasons and not self._ended:
                self._source.resumeProducing()

    def slowDown(self, seconds: float) -> None:
        """Read no more for so long: it sends faster than it may."""
        if self._ended:
            return
        if self._slowed is None:
            self.hold("pace")
        elif self._slowed.getTime() >= self._clock.seconds() + seconds:
            return
        self._cancel()
        self._slowed = self._clock.callLater(seconds, self._fastEnough)

    def _fastEnough(self) -> None:
        self._slowed = None
        self.release("pace")

    def end(self) -> None:
        """Its end is said: no reason counts any more, or the peer's own goodbye would not be read."""
        self._ended = True
        if self._reasons:
            self._reasons = _NONE
            self._source.resumeProducing()

    def stop(self) -> None:
        """The connection is lost: nothing happens later."""
        self._ended = True
        self._cancel()

    def _cancel(self) -> None:
        if self._slowed is not None:
            self._slowed.cancel()
            self._slowed = None
