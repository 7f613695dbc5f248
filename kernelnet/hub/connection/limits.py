"""
Limits on what one client, one address, and all of them together may ask of the hub.

=========================================  =======================  =================================================
limit                                      default                  over it
=========================================  =======================  =================================================
line before / after authentication         4 KiB / 1 MiB            ``line_too_long``, and the end
time to authenticate                       10 s                     ``auth_timeout``, and the end
connections, in all / of one address       10,000 / 2,000           the new one is cut before TLS
unauthenticated, in all / of one address   4,000 / 1,000            the oldest of them is cut
failed authentications of one address      5, then one in 6 s       ``too_many_failures`` unchecked, and the end
messages of one AI                         2,000/s, burst 10,000    its socket is not read until it is within it again
the hub's work for one AI                  0.1 s/s, burst 0.1 s     the same
=========================================  =======================  =================================================

An address is an IPv4 address or an IPv6 network of 64 bits, which is what one subscriber gets.  Sockets that have none
(``unix:``) are limited in all only.

`kernelnet.hub.connection.rate_limits` keeps them; `kernelnet.hub.connection.admission` applies them to connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernelnet.wire import AUTHENTICATED_LINE, HANDSHAKE_LINE

__all__ = ["OPTIONS", "Bounds", "LimitError"]


class LimitError(Exception):
    """An option is out of range; the text says which, and what would be right."""


@dataclass(frozen=True)
class Bounds:
    """Limits of one hub; the table above says what each does."""

    handshakeLine: int = HANDSHAKE_LINE
    line: int = AUTHENTICATED_LINE
    authTimeout: float = 10.0
    connections: int = 10_000
    connectionsPerAddress: int = 2_000
    pending: int = 4_000
    pendingPerAddress: int = 1_000
    failures: int = 5
    failureEvery: float = 6.0
    rate: float = 2_000.0
    burst: int = 10_000
    share: float = 0.1

    @classmethod
    def fromOptions(cls, options: Mapping[str, Any]) -> Bounds:
        """
        From the options of the hub's command line, see `OPTIONS`.

        @raise LimitError: one is out of range.
        """
        values = {}
        for (name, _, _, _, kind), (field, least, most) in zip(OPTIONS, _RANGES, strict=True):
            value = options[name]
            if not least <= value <= most:
                what = "a whole number" if kind is int else "a number"
                raise LimitError(f"--{name} must be {what} from {least:,} to {most:,}, not {value}")
            values[field] = value
        return cls(**values)


OPTIONS: list[list[Any]] = [
    ["max-handshake-line", None, 4096, "bytes that the first line of a connection may have", int],
    ["max-line", None, 1048576, "bytes that a later line may have", int],
    ["auth-timeout", None, 10.0, "seconds that a connection may take to authenticate", float],
    ["max-connections", None, 10000, "connections in all", int],
    ["max-connections-per-address", None, 2000, "connections from one address", int],
    ["max-unauthenticated", None, 4000, "connections that are not authenticated yet; when full the oldest goes", int],
    ["max-unauthenticated-per-address", None, 1000, "the same from one address", int],
    ["auth-failures", None, 5, "failed authentications from one address at once", int],
    ["auth-failure-interval", None, 6.0, "seconds after which it may fail once more", float],
    ["message-rate", None, 2000.0, "messages a second from one AI; over it the hub reads it more slowly", float],
    ["message-burst", None, 10000, "messages from one AI at once", int],
    ["work-share", None, 0.1, "seconds a second that the hub works for one AI; over it it is read more slowly", float],
]
"""For `twisted.python.usage.Options.optParameters`."""

_RANGES: list[tuple[str, float, float]] = [
    ("handshakeLine", 256, 65536),
    ("line", 1024, AUTHENTICATED_LINE),  # trainers take no longer one
    ("authTimeout", 0.1, 3600),
    ("connections", 1, 1_000_000),
    ("connectionsPerAddress", 1, 1_000_000),
    ("pending", 1, 1_000_000),
    ("pendingPerAddress", 1, 1_000_000),
    ("failures", 1, 1_000_000),
    ("failureEvery", 0.001, 86400),
    ("rate", 0.1, 1e9),
    ("burst", 1, 1_000_000_000),
    ("share", 0.001, 1000),
]
