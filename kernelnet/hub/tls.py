"""
The hub's TLS port: Twisted's TLS with a shorter way out for what is written.

Twisted hands OpenSSL 16 KiB at a time, reads each record back, and appends it to a buffer that the reactor sends in its
next turn.  The hub writes once for each connection and commit, up to 256 KiB, to hundreds of connections.  So here much
more goes into OpenSSL first, comes out in one piece, and is offered to the socket at once; only what the socket does
not take waits for the reactor.  All else (handshake, reading, closing, back-pressure) is Twisted's.  Measured with 100
subscribers, everything else on: 0.61 instead of 0.86 CPU seconds for a million deliveries.

Between OpenSSL and the socket stands a memory BIO, which stays as large as it ever was.  So a write is cut at `SLICE`,
and after a larger one the BIO is replaced: 33 instead of 51 KB for an idle connection among 1,000, which has got a long
list of who is here.

``--twisted-tls`` takes Twisted's own way instead.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["PromptTLS", "PromptTLSEndpoint", "PromptTLSFactory"]

SLICE = 64 * 1024
"""So many bytes are encrypted before they are taken to the socket."""
_RECORD = 16 * 1024
_SMALL = 4 * 1024
"""What a write up to this leaves behind is kept."""
_OVERHEAD = 64
"""More than TLS adds to a record."""


class PromptTLS(TLSMemoryBIOProtocol):
    """One connection."""

    def _flushReceiveBIO(self) -> None:
        """Receive all records that have come as one piece: each is small where a peer writes line by line."""
        pieces: list[bytes] = []
        end: Failure | None = None
        goodbye = False
        while not self._lostTLSConnection:
            try:
                pieces.append(self._tlsConnection.recv(_RECORD))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                goodbye = True
                break
            except SSL.Error:
                end = Failure()
                break
        if pieces and not self._aborted:
            ProtocolWrapper.dataReceived(self, b"".join(pieces))
        if goodbye and not self._lostTLSConnection:
            self._shutdownTLS()
        if (goodbye or end is not None) and not self._lostTLSConnection:
            self._tlsShutdownFinished(end)
        self._takeOut()

    def _write(self, data: bytes) -> None:  # what Twisted's own write(), and its buffer when OpenSSL can't go on, call
        view = memoryview(data)
        for start in range(0, len(data), SLICE):
            if self._lostTLSConnection:
                return
            done = self._encrypt(view[start : start + SLICE])
            self._takeOut()
            if start + done < min(start + SLICE, len(data)):
                self._bufferedWrite(data[start + done :])
                break
        if len(data) > _SMALL and not self._lostTLSConnection:
            self._dropBuffer()

    def _dropBuffer(self) -> None:
        """Replace the BIO, which is empty now.  pyOpenSSL has no public way to."""
        connection, lib = self._tlsConnection, SSL._lib  # type: ignore[attr-defined]
        fresh = lib.BIO_new(lib.BIO_s_mem())
        lib.SSL_set_bio(connection._ssl, connection._into_ssl, fresh)  # frees the old one
        connection._from_ssl = fresh

    def _encrypt(self, data: memoryview) -> int:
        """@return: how much of it OpenSSL took: nothing more while it waits for the peer, as in a handshake."""
        done = 0
        try:
            while done < len(data):
                done += self._tlsConnection.send(data[done : done + _RECORD])
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self._tlsShutdownFinished(Failure())
            return len(data)  # nobody will ever get it
        return done

    def _takeOut(self) -> None:
        """All that OpenSSL has for the peer, to the socket."""
        size = SLICE + _OVERHEAD * (SLICE // _RECORD + 1)
        while True:
            try:
                data = self._tlsConnection.bio_read(size)
            except SSL.WantReadError:
                return
            self._toSocket(data)
            if len(data) < size:
                return

    def _toSocket(self, data: bytes) -> None:
        transport: Any = self.transport
        if isinstance(transport, Connection) and transport.connected and not _isBuffering(transport):
            sent = transport.writeSomeData(data)
            # Of a lost connection the reactor hears by itself, when it tries.
            if isinstance(sent, int) and sent > 0:
                data = data[sent:]
        if data:
            transport.write(data)

    _flushSendBIO = _takeOut


def _isBuffering(transport: Connection) -> bool:
    """Whether something waits for the reactor already; what comes now must stay behind it."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)


class PromptTLSFactory(TLSMemoryBIOFactory):
    """Wraps the hub's factory for a port."""

    protocol = PromptTLS


@implementer(IStreamServerEndpoint)
class PromptTLSEndpoint:
    """C{tcp} with TLS on it."""

    def __init__(self, tcp: IStreamServerEndpoint, options: IOpenSSLServerConnectionCreator) -> None:
        self._tcp = tcp
        self._options = options

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        listening: Deferred[IListeningPort] = self._tcp.listen(PromptTLSFactory(self._options, False, factory))
        return listening
