"""Where a hub may be: addresses that are tried in turn, with pauses that grow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["GREETING", "NO_HUB", "Address", "AddressRotation", "parseAddress"]

GREETING = 1.0
"""Seconds without a hub's greeting after which it is said that none is there (yet): most take some milliseconds."""

NO_HUB = "is it a hub that answers there, over TLS? Its default port is 6000"


class Address(NamedTuple):
    """Its string is as a user writes it: C{host:port}, C{[::1]:port}."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parseAddress(text: str) -> Address:
    """
    C{host:port}, C{[::1]:port}.

    @raise ValueError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"bad address {text!r}: it must be host:port, such as localhost:6000")
    return Address(host, int(port))


class AddressRotation:
    """
    Addresses in turn, and how long to wait before the next attempt.

    The pause before attempt I{n} is drawn evenly from 0 to min(C{maxDelay}, C{initialDelay}·2ⁿ) seconds ("full
    jitter": Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015), so that a thousand trainers
    do not all come back in the same moment after a restart of the hub.  With several addresses I{n} counts the
    rounds through all of them: the next one is tried soon.

    @ivar address: the one whose turn it is.
    @ivar delay: the bound of the next pause.
    """

    initialDelay = 0.5
    maxDelay = 30.0
    factor = 2.0

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = list(dict.fromkeys(addresses))
        self.address = self.addresses[0]
        self.delay = self.initialDelay
        self._failures = 0
        self._refused: dict[Address, str] = {}
        self._random = random.Random()

    def next(self, same: bool = False) -> float:
        """
        The attempt is over: it is the next address' turn.

        @param same: it had gone well, so the same address comes first again.
        @return: seconds to wait.
        """
        pause = self._random.uniform(0, self.delay)
        if not same:
            self.address = self.addresses[(self.addresses.index(self.address) + 1) % len(self.addresses)]
        self._failures += 1
        if self._failures % len(self.addresses) == 0:
            self.delay = min(self.maxDelay, self.delay * self.factor)
        return pause

    def wentWell(self) -> None:
        """The hub at this address is ours, and answers: the next pause is short again."""
        self.delay = self.initialDelay
        self._failures = 0
        self._refused.pop(self.address, None)

    def refuse(self, reason: str) -> str | None:
        """
        Something is wrong with the hub at this address that no waiting mends.

        @param reason: such as C{"is not trusted: …"}.
        @return: one line that says so, if it is so with each address; C{None} if there is another one to try.
        """
        self._refused[self.address] = reason
        if len(self._refused) < len(self.addresses):
            return None
        return "; ".join(f"the hub at {address} {self._refused[address]}" for address in self.addresses)
