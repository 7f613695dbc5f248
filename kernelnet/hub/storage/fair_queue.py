"""
Works that wait for a commit: whose turn it is goes by what the works of each AI have cost so far.

Start-time fair queueing (Goyal, Vin, Cheng 1996) over measured seconds: each author has a virtual time, to which the
cost of its works is added, and the author with the least goes next.  One who was quiet begins at the time of those
that are served now, so nothing is saved up.  What a work costs is known once it was done; till then that of the
author's last ones is taken for it.  The hub's own works go first.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count

from kernelnet.hub.storage.transaction import Work

__all__ = ["FairQueue"]

FIRST_GUESS = 50e-6
"""Seconds that a work of an author of whom nothing is known is taken to cost."""
GAIN = 1 / 8
"""Part of what an author's last work cost that goes into the guess of its next, as of a round trip (RFC 6298)."""
REMEMBERED = 1000
"""Number of authors that are remembered before those who are quiet are forgotten."""


class FairQueue:
    """
    @ivar size: bytes of all works that wait.
    """

    def __init__(self) -> None:
        self.size = 0
        self._queues: dict[str, deque[Work]] = {}
        self._sizes: dict[str, int] = {}
        self._times: dict[str, float] = {}
        self._guesses: dict[str, float] = {}
        self._turns: list[tuple[float, int, str]] = []
        self._numbers = count()
        self._places: dict[str, int] = {}
        self._now = 0.0
        self._most = REMEMBERED
        self._length = 0

    def __repr__(self) -> str:
        return f"<FairQueue {self._length} works of {len(self._queues)} authors, {self.size} bytes>"

    def __len__(self) -> int:
        return self._length

    def put(self, work: Work) -> None:
        """Have it wait behind all others of its author."""
        self._add(work).append(work)

    def putBack(self, works: Iterable[Work]) -> None:
        """
        These were taken last and not done: have them wait before all others of their authors, in this order.

        They cost nothing yet; call it before `charge`.
        """
        authors = set()
        for work in reversed([*works]):
            self._add(work).appendleft(work)
            if author := work.author:
                self._times[author] -= self._guessOf(author)
                authors.add(author)
        for author in sorted(authors):
            self._wait(author)

    def sizeOf(self, author: str) -> int:
        """The bytes of its works that wait."""
        return self._sizes.get(author, 0)

    def take(self, most: int, size: int, each: float = math.inf, alone: float = math.inf) -> list[Work]:
        """
        The next C{most} works at most, and no more once they have more than C{size} bytes.

        @param each: of an author no more once its works are thought to take as many seconds.
        @param alone: bytes from which on a work goes with none of other authors, after those that may go before it:
            all whose time comes before it is thought to end.  The hub's own don't keep it back.
        """
        taken: list[Work] = []
        before = self.size
        spent: defaultdict[str, float] = defaultdict(float)
        aside: list[tuple[float, int, str]] = []
        large: tuple[float, int, str] | None = None
        authored = False
        while self._turns and len(taken) < most and before - self.size <= size:
            turn = at, place, author = heappop(self._turns)
            if self._places.get(author) != place:  # it got another
                continue
            if at < self._timeOf(author):  # its works cost more than was thought
                self._wait(author)
                continue
            if spent[author] >= each:
                aside.append(turn)
                continue
            if author and self._queues[author][0].size >= alone:
                if large is None:
                    large = turn
                else:
                    aside.append(turn)
                continue
            if large is not None and not authored and author and at >= large[0] + self._guessOf(large[2]):
                aside.append(turn)
                break
            if author:
                authored = True
                spent[author] += self._guessOf(author)
            taken.append(work := self._takeFrom(at, author))
            if work.size >= alone:
                break
        if large is not None and not authored:
            taken.append(self._takeFrom(large[0], large[2]))
        elif large is not None:
            aside.append(large)
        for turn in aside:
            heappush(self._turns, turn)
        if len(self._times) > self._most:
            self._forget()
        return taken

    def _takeFrom(self, at: float, author: str) -> Work:
        """Take the next work of C{author}, whose turn was C{at}."""
        queue = self._queues[author]
        work = queue.popleft()
        self.size -= work.size
        self._length -= 1
        self._sizes[author] -= work.size
        if not queue:
            del self._queues[author], self._sizes[author], self._places[author]
        if author:
            end = self._times[author] = at + self._guessOf(author)
            self._now = max(self._now, at if self._queues else end)
        if queue:
            self._wait(author)
        return work

    def _guessOf(self, author: str) -> float:
        """Seconds that its next work is taken to cost."""
        return self._guesses.get(author, FIRST_GUESS)

    def charge(self, author: str, seconds: float, taken: bool = True) -> None:
        """
        A work of C{author} has cost so much.

        @param taken: whether it was one of those that were taken, so that a guess was added for it.
        """
        if not author:
            return
        cost = seconds
        if taken:
            guess = self._guessOf(author)
            self._guesses[author] = guess + GAIN * (seconds - guess)
            cost -= guess
        self._times[author] = self._times.get(author, self._now) + cost

    def _forget(self) -> None:
        """Forget those who are quiet and whose turn would come no later than a newcomer's."""
        for author in [a for a, at in self._times.items() if at <= self._now and a not in self._queues]:
            del self._times[author]
            self._guesses.pop(author, None)
        self._most = max(REMEMBERED, 2 * len(self._times))  # so that it costs little however many are busy

    def _add(self, work: Work) -> deque[Work]:
        author = work.author
        self.size += work.size
        self._length += 1
        queue = self._queues.get(author)
        if queue is None:
            queue = self._queues[author] = deque()
            self._sizes[author] = 0
            if author:
                self._times[author] = max(self._now, self._times.get(author, self._now))
            self._wait(author)
        self._sizes[author] += work.size
        return queue

    def _timeOf(self, author: str) -> float:
        """Its virtual time; the hub's own works are before all."""
        return self._times[author] if author else -math.inf

    def _wait(self, author: str) -> None:
        """It has a turn at its time; one that it had before is none any more."""
        place = self._places[author] = next(self._numbers)
        heappush(self._turns, (self._timeOf(author), place, author))
