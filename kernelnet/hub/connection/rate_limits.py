"""
Limits on connections, failed authentications and messages, as `kernelnet.hub.connection.limits` lists them.

Everything here is pure: the time is an argument, and nothing knows a socket.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, TypeVar

from kernelnet.hub.connection.limits import Bounds

__all__ = ["AuthThrottle", "ConnectionLimiter", "ThrottleDecision", "TokenBucket", "addressKey"]

C = TypeVar("C")


def addressKey(host: object) -> str:
    """The network that C{host} counts as one address of; C{""} for what has none."""
    if not isinstance(host, str):
        return ""
    try:
        address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> 64 << 64)}/64"
        address = address.ipv4_mapped
    return str(address)


class ConnectionLimiter(Generic[C]):
    """
    Account of who is in, and who of them has not shown yet who it is.

    @ivar refused: number of those that were not let in since the start.
    @ivar displaced: number of those that had to go for a newer one.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._inside: dict[C, str] = {}
        self._byAddress: Counter[str] = Counter()
        # Dicts, since they keep the order: the first is the oldest.
        self._pending: dict[C, None] = {}
        self._pendingByAddress: dict[str, dict[C, None]] = {}
        self.refused = 0
        self.displaced = 0

    def __repr__(self) -> str:
        return f"<ConnectionLimiter {len(self._inside)} inside, {len(self._pending)} pending, {self.refused} refused>"

    @property
    def pending(self) -> int:
        return len(self._pending)

    def admits(self, address: str) -> bool:
        """Whether one more from C{address} may come in; a refusal is counted."""
        full = len(self._inside) >= self._bounds.connections
        if full or (address and self._byAddress[address] >= self._bounds.connectionsPerAddress):
            self.refused += 1
            return False
        return True

    def entered(self, connection: C, address: str) -> C | None:
        """
        C{connection} came in.

        @return: which one must go for it; that counts as pending no more, but as inside until it `left`.
        """
        self._inside[connection] = address
        self._byAddress[address] += 1
        self._pending[connection] = None
        ofAddress = self._pendingByAddress.setdefault(address, {})
        ofAddress[connection] = None
        if address and len(ofAddress) > self._bounds.pendingPerAddress:
            oldest = next(iter(ofAddress))
        elif len(self._pending) > self._bounds.pending:
            oldest = next(iter(self._pending))
        else:
            return None
        self.proved(oldest)
        self.displaced += 1
        return oldest

    def proved(self, connection: C) -> None:
        """It has shown who it is, or it won't any more."""
        if connection not in self._pending:
            return
        del self._pending[connection]
        address = self._inside[connection]
        ofAddress = self._pendingByAddress[address]
        del ofAddress[connection]
        if not ofAddress:
            del self._pendingByAddress[address]

    def left(self, connection: C) -> None:
        """It is gone."""
        if connection not in self._inside:
            return
        self.proved(connection)
        address = self._inside.pop(connection)
        self._byAddress[address] -= 1
        if not self._byAddress[address]:
            del self._byAddress[address]


class ThrottleDecision(Enum):
    """Fate of an attempt to authenticate."""

    CHECK = 0
    """Check it now, and say how it `ended`."""
    WAIT = 1
    """Others of its address are being checked; `ended` says when it is its turn."""
    REFUSE = 2
    """Too many have failed: it is not checked."""


class _Bucket(Generic[C]):
    """@ivar level: number of attempts that may fail now, as of C{at}."""

    __slots__ = ("at", "level", "running", "waiting")

    def __init__(self, level: float, at: float) -> None:
        self.level = level
        self.at = at
        self.running = 0
        self.waiting: deque[C] = deque()


class AuthThrottle(Generic[C]):
    """
    Failed authentications: a bucket for each address.

    A check runs only while a failure of it could be paid, so that however many attempts come at once, no more fail than
    the bucket allows; attempts that succeed cost nothing, and run one after the other as fast as they are checked.

    An AI that was let in from an address before has a bucket of its own there: what a neighbour behind the same address
    guesses doesn't lock it out.

    @ivar failed: number of those that failed since the start.
    @ivar refused: number of those that were not even checked.
    """

    MAX_BUCKETS = 10_000
    MAX_FAMILIAR = 20_000

    def __init__(self, bounds: Bounds) -> None:
        self._capacity = float(bounds.failures)
        self._every = bounds.failureEvery
        # The least recently used first.
        self._buckets: dict[str, _Bucket[C]] = {}
        self._familiar: dict[str, None] = {}
        self.failed = 0
        self.refused = 0

    def __repr__(self) -> str:
        return f"<AuthThrottle {len(self._buckets)} buckets, {self.failed} failed, {self.refused} refused>"

    def key(self, address: str, aiId: str) -> str:
        """Whose failures an attempt of C{aiId} counts among."""
        own = f"{address} {aiId}"
        return own if own in self._familiar else address

    def ask(self, key: str, ticket: C, now: float) -> ThrottleDecision:
        """Decide what shall become of this attempt."""
        bucket = self._bucket(key, now)
        if bucket.level - bucket.running >= 1 and not bucket.waiting:
            bucket.running += 1
            return ThrottleDecision.CHECK
        if bucket.running:
            bucket.waiting.append(ticket)
            return ThrottleDecision.WAIT
        self.refused += 1
        return ThrottleDecision.REFUSE

    def ended(self, key: str, failed: bool, now: float) -> tuple[list[C], list[C]]:
        """
        A check came to its end.

        @return: whose turn it is to be checked now, and who of those that waited is refused.
        """
        bucket = self._bucket(key, now)
        bucket.running -= 1
        if failed:
            bucket.level -= 1
            self.failed += 1
        check: list[C] = []
        refuse: list[C] = []
        while bucket.waiting:
            if bucket.level - bucket.running >= 1:
                bucket.running += 1
                check.append(bucket.waiting.popleft())
            elif bucket.running:
                break
            else:
                refuse.extend(bucket.waiting)
                bucket.waiting.clear()
        self.refused += len(refuse)
        if not bucket.running and bucket.level >= self._capacity:
            del self._buckets[key]
        return check, refuse

    def succeeded(self, address: str, aiId: str) -> None:
        """C{aiId} was let in from C{address}."""
        own = f"{address} {aiId}"
        self._familiar.pop(own, None)
        self._familiar[own] = None
        if len(self._familiar) > self.MAX_FAMILIAR:
            del self._familiar[next(iter(self._familiar))]

    def wait(self, key: str, now: float) -> int:
        """Whole seconds after which an attempt will be checked again."""
        return max(1, math.ceil((1 - self._bucket(key, now).level) * self._every))

    def _bucket(self, key: str, now: float) -> _Bucket[C]:
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            if len(self._buckets) >= self.MAX_BUCKETS:
                self._drop()
            bucket = _Bucket(self._capacity, now)
        else:
            bucket.level = min(self._capacity, bucket.level + max(0.0, now - bucket.at) / self._every)
            bucket.at = now
        self._buckets[key] = bucket
        return bucket

    def _drop(self) -> None:
        for key, bucket in self._buckets.items():
            if not bucket.running:
                del self._buckets[key]
                return


class TokenBucket:
    """
    Rate at which each may go: a bucket that holds C{burst} and gains C{rate} a second.  Nothing is refused: who goes
    too fast is in debt, and waits until it is paid.

    @ivar delays: number of times that somebody had to wait since the start.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._levels: dict[str, tuple[float, float]] = {}
        self.delays = 0

    def __repr__(self) -> str:
        return f"<TokenBucket {self._rate:g}/s, {len(self._levels)} known, {self.delays} delays>"

    def take(self, who: str, count: float, now: float) -> float:
        """@return: the seconds that C{who} has to wait after this; 0 for none."""
        level = self._level(who, now) - count
        self._levels[who] = (level, now)
        if level >= 0:
            return 0.0
        self.delays += 1
        return -level / self._rate

    def forget(self, now: float) -> None:
        """Drop what is as if it had never been; call it now and then."""
        for who in [who for who in self._levels if self._level(who, now) >= self._burst]:
            del self._levels[who]

    def _level(self, who: str, now: float) -> float:
        known = self._levels.get(who)
        if known is None:
            return self._burst
        level, at = known
        return min(self._burst, level + max(0.0, now - at) * self._rate)
