"""A second simulator of object caches, in plain Python, that the driver's scores are compared with to the unit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["PYTHON", "Cache", "Fifo", "Gdsf", "Lru", "bruteForce", "missed", "writeObjects"]

Requests = Sequence[tuple[int, int]]
"""Object and size, by request."""


class Cache:
    """
    What is resident, with the size with which it came in.

    A subclass keeps what it likes; the first of C{resident} goes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.resident: OrderedDict[int, int] = OrderedDict()

    def request(self, thing: int, size: int) -> bool:
        """@return: whether it hit."""
        if thing in self.resident:
            self.hit(thing)
            return True
        if size <= self.capacity and self.makeRoom(size):
            self.resident[thing] = size
            self.inserted(thing)
        return False

    def makeRoom(self, size: int) -> bool:
        """@return: whether the newcomer comes in."""
        while sum(self.resident.values()) + size > self.capacity:
            self.evict(self.victim())
        return True

    def evict(self, thing: int) -> None:
        del self.resident[thing]

    def victim(self) -> int:
        return next(iter(self.resident))

    def hit(self, thing: int) -> None:
        pass

    def inserted(self, thing: int) -> None:
        pass


class Fifo(Cache):
    """First in, first out."""


class Lru(Cache):
    """Least recently used."""

    def hit(self, thing: int) -> None:
        self.resident.move_to_end(thing)


class Gdsf(Cache):
    """Greedy dual size with frequency, by a look at all that is resident."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.age = 0.0
        self.now = 0
        self.known: dict[int, tuple[float, int, int]] = {}

    def request(self, thing: int, size: int) -> bool:
        if thing in self.resident or size <= self.capacity:
            self.now += 1
        self.newcomer = self.age + 1e6 / size
        return super().request(thing, size)

    def hit(self, thing: int) -> None:
        frequency = self.known[thing][2] + 1
        self.known[thing] = (self.age + frequency * 1e6 / self.resident[thing], self.now, frequency)

    def inserted(self, thing: int) -> None:
        self.known[thing] = (self.newcomer, self.now, 1)

    def victim(self) -> int:
        return min(self.resident, key=lambda thing: self.known[thing])

    def makeRoom(self, size: int) -> bool:
        while sum(self.resident.values()) + size > self.capacity:
            lowest = self.victim()
            if self.newcomer < self.known[lowest][0]:
                self.age = self.newcomer
                return False
            self.age = self.known[lowest][0]
            self.evict(lowest)
        return True


def missed(cache: Cache, requests: Requests) -> list[tuple[int, int]]:
    """By request: how many requests, and bytes, missed with it."""
    return [(0, 0) if cache.request(thing, size) else (1, size) for thing, size in requests]


def bruteForce(requests: Requests, capacity: int, *, inBytes: bool) -> int:
    """The least that any choice of what stays, and of what comes in, misses."""
    states: dict[frozenset[tuple[int, int]], int] = {frozenset(): 0}
    for thing, size in requests:
        after: dict[frozenset[tuple[int, int]], int] = {}
        for held, cost in states.items():
            isHit = any(other == thing for other, _ in held)
            here = cost if isHit else cost + (size if inBytes else 1)
            full = held if isHit else held | {(thing, size)}
            for kept in _subsets(full, capacity):
                after[kept] = min(after.get(kept, here), here)
        states = after
    return min(states.values())


def _subsets(held: frozenset[tuple[int, int]], capacity: int) -> list[frozenset[tuple[int, int]]]:
    found = [frozenset[tuple[int, int]]()]
    for each in held:
        found += [kept | {each} for kept in found]
    return [kept for kept in found if sum(size for _, size in kept) <= capacity]


def writeObjects(path: Path, requests: Requests) -> Path:
    """A table of objects with sizes."""
    path.write_text("time,id,size\n" + "".join(f"{at},{thing},{size}\n" for at, (thing, size) in enumerate(requests)))
    return path


PYTHON: dict[str, Callable[[int], Cache]] = {"fifo": Fifo, "lru": Lru, "gdsf": Gdsf}
"""Policies that have a second implementation here."""
