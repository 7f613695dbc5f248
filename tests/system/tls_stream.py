"""
`TLSStream`: a TLS socket of which one thread reads while another writes.

C{ssl} lets several threads into one C{SSL} object at once, which OpenSSL forbids (C{openssl-threads(7)}: "an SSL object
cannot be used in two threads"): between a read that finds nothing and the look at why it failed, a write of another
thread changes the answer, and the reader is told of an end that nobody made.
"""

from __future__ import annotations

import contextlib
import io
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["TLSStream"]


class TLSStream(io.RawIOBase):
    """
    Lets one thread at a time into OpenSSL; neither waits there for the peer.

    @param socket: not to be used otherwise from then on.
    @param writing: seconds that a write waits until the peer reads.
    @param reading: seconds that a read waits until it speaks; C{None}: as long as the connection lasts.
    """

    def __init__(self, socket: ssl.SSLSocket, writing: float, reading: float | None) -> None:
        super().__init__()
        socket.setblocking(False)
        self._socket = socket
        self._writing = writing
        self._reading = reading
        self._lock = threading.Lock()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while True:
            with self._lock, contextlib.suppress(ssl.SSLWantReadError):
                return self._socket.recv_into(buffer)
            if not select.select([self._socket], [], [], self._reading)[0]:
                raise TimeoutError(f"the peer says nothing for {self._reading:g} s")

    def write(self, data: ReadableBuffer) -> int:
        """All of it, unlike a raw stream's."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            with self._lock, contextlib.suppress(ssl.SSLWantWriteError):
                rest = rest[self._socket.send(rest) :]
                continue
            if not select.select([], [self._socket], [], self._writing)[1]:
                raise TimeoutError(f"the peer reads nothing for {self._writing:g} s")
        return size

    def hangUp(self) -> None:
        """End the connection: who reads finds its end."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        self._socket.close()
