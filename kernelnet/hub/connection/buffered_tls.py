"""
The hub's TLS port: Twisted's TLS with a shorter way in and out for data.

Twisted hands OpenSSL 16 KiB at a time, reads each record back, and appends it to a buffer that the reactor sends in its
next turn.  The hub writes once for each connection and commit, up to 256 KiB, to hundreds of connections.  So here much
more goes into OpenSSL first, comes out in one piece, and is offered to the socket at once; only what the socket does
not take waits for the reactor.  All else (handshake, closing, back-pressure) is Twisted's.  Measured with 100
subscribers, everything else on: 0.61 instead of 0.86 CPU seconds for a million deliveries.

pyOpenSSL makes a buffer for each record that it reads, and says that there is no more by an exception, which costs as
much as four records.  So records are read and written here by the OpenSSL functions below it, in one buffer for all
connections: 6.8 instead of 15.4 µs for eight lines that came as a record each.  That is all that is not public here.

Between OpenSSL and the socket stands a memory BIO, which is copied when it grows, and stays as large as it ever was. So
each record is taken out of it at once (0.25 instead of 0.28 CPU seconds with 500 subscribers), and after a large write
it is replaced: 33 instead of 51 KB for an idle connection among 1,000, which has got a long list of who is here.

OpenSSL's object is made when a connection has begun to speak and it is its turn (`HandshakeTurns`).

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
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from kernelnet.hub.connection.handshake_turns import HandshakeTurns

__all__ = ["BufferedTLS", "BufferedTLSEndpoint", "BufferedTLSFactory"]

SLICE = 64 * 1024
"""Encrypted bytes that are taken to the socket at once."""
_RECORD = 16 * 1024
_SMALL = 4 * 1024
"""Bytes of a write up to which the BIO that it went through is kept."""
_FIRST_WORDS = 4 * 1024
"""Bytes that are kept of who waits for its turn; a ClientHello has 300 to 2,000."""
_ROOM = SLICE + _RECORD + 1024
"""Whatever there is of a slice, one more record fits."""

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]
_buffer = _ffi.new("char[]", _ROOM)
"""Bytes between OpenSSL and us, within one call and in the reactor's thread."""
_bytes = memoryview(_ffi.buffer(_buffer))


class _Silent:
    """In the place of OpenSSL's object until it is this connection's turn: what came, and what Twisted asks of one."""

    def __init__(self) -> None:
        self.said = b""

    def do_handshake(self) -> None:
        raise SSL.WantReadError

    def shutdown(self) -> bool:
        return True

    def bio_shutdown(self) -> None:
        """Nothing more will come."""

    def get_peer_certificate(self) -> None:
        """There is none yet."""

    def get_alpn_proto_negotiated(self) -> bytes:
        return b""


class BufferedTLS(TLSMemoryBIOProtocol):
    """One connection."""

    factory: BufferedTLSFactory

    def dataReceived(self, data: bytes) -> None:
        silent: Any = self._tlsConnection
        if not isinstance(silent, _Silent):
            super().dataReceived(data)
            if self._handshakeDone or self._lostTLSConnection:
                self.factory.turns.leave(self)
        elif self._aborted:
            return
        elif len(silent.said) + len(data) > _FIRST_WORDS:
            self.abortConnection()
        elif silent.said:
            silent.said += data
        else:
            silent.said = data
            self.factory.turns.enter(self)

    def beginTLS(self) -> None:
        """It is its turn: begin with what has come."""
        silent: Any = self._tlsConnection
        if isinstance(silent, _Silent) and not self._aborted:
            self._tlsConnection = self.factory.makeTLS(self)
            self.dataReceived(silent.said)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.turns.leave(self)

    def _flushReceiveBIO(self) -> None:
        """Receive all records that have come as one piece: each is small where a peer writes line by line."""
        connection: Any = self._tlsConnection
        if self._lostTLSConnection or isinstance(connection, _Silent):
            return
        pieces: list[bytes] = []
        while (size := _lib.SSL_read(connection._ssl, _buffer, _RECORD)) > 0:
            pieces.append(_bytes[:size].tobytes())
        end: Failure | None = None
        goodbye = False
        if not _waitsForPeer(connection):
            try:
                connection._raise_ssl_error(connection._ssl, size)
            except SSL.ZeroReturnError:
                goodbye = True
            except SSL.Error:
                end = Failure()
                end.cleanFailure()  # its traceback has this frame, and so all of OpenSSL's: 54 KB until a collection
        if pieces and not self._aborted:
            ProtocolWrapper.dataReceived(self, b"".join(pieces))
        if goodbye and not self._lostTLSConnection:
            self._shutdownTLS()
        if (goodbye or end is not None) and not self._lostTLSConnection:
            self._tlsShutdownFinished(end)
        self._takeOut()

    def _write(self, data: bytes) -> None:  # what Twisted's own write(), and its buffer when OpenSSL can't go on, call
        connection: Any = self._tlsConnection
        if isinstance(connection, _Silent):
            self._bufferedWrite(data)
            return
        pointer, total = _ffi.from_buffer(data), len(data)
        done = filled = 0
        while done < total and not self._lostTLSConnection:
            size = _lib.SSL_write(connection._ssl, pointer + done, min(_RECORD, total - done))
            if size <= 0:
                if filled:
                    self._toSocket(_bytes[:filled])
                self._stopped(size, data[done:])
                return
            done += size
            # Record by record, or the BIO would grow and be copied again and again.
            filled += _lib.BIO_read(connection._from_ssl, _buffer + filled, _ROOM - filled)
            if filled >= SLICE or done == total:
                self._toSocket(_bytes[:filled])
                filled = 0
        if total > _SMALL and not self._lostTLSConnection:
            self._dropBuffer()

    def _stopped(self, result: int, rest: bytes) -> None:
        """OpenSSL took nothing of C{rest}: while it waits for the peer, as in a handshake, or for good."""
        connection: Any = self._tlsConnection
        if _waitsForPeer(connection):
            self._takeOut()
            self._bufferedWrite(rest)
            return
        try:
            connection._raise_ssl_error(connection._ssl, result)
        except SSL.Error:
            self._tlsShutdownFinished(Failure())

    def _dropBuffer(self) -> None:
        """Replace the BIO, which is empty now."""
        connection: Any = self._tlsConnection
        fresh = _lib.BIO_new(_lib.BIO_s_mem())
        _lib.SSL_set_bio(connection._ssl, connection._into_ssl, fresh)  # frees the old one
        connection._from_ssl = fresh

    def _takeOut(self) -> None:
        """All that OpenSSL has for the peer, to the socket."""
        connection: Any = self._tlsConnection
        if isinstance(connection, _Silent):
            return
        while (size := _lib.BIO_read(connection._from_ssl, _buffer, _ROOM)) > 0:
            self._toSocket(_bytes[:size])
            if size < _ROOM:
                return

    def _toSocket(self, data: memoryview) -> None:
        transport: Any = self.transport
        if isinstance(transport, Connection) and transport.connected and not _isBuffering(transport):
            sent: Any = transport.writeSomeData(data)  # type: ignore[arg-type]
            # Of a lost connection the reactor hears by itself, when it tries.
            if isinstance(sent, int) and sent > 0:
                data = data[sent:]
        if data:
            transport.write(data.tobytes())

    _flushSendBIO = _takeOut


def _waitsForPeer(connection: Any) -> bool:
    """Whether OpenSSL did not go on since the peer has to send first; anything else is an error, or the end."""
    return bool(_lib.SSL_want_read(connection._ssl) and _lib.BIO_should_read(connection._into_ssl))


def _isBuffering(transport: Connection) -> bool:
    """Whether something waits for the reactor already; what comes now must stay behind it."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)


class BufferedTLSFactory(TLSMemoryBIOFactory):
    """
    Wraps the hub's factory for a port.

    @ivar turns: of its handshakes.
    """

    protocol = BufferedTLS

    def __init__(
        self, options: IOpenSSLServerConnectionCreator, wrapped: IProtocolFactory, turns: HandshakeTurns
    ) -> None:
        super().__init__(options, False, wrapped)
        self.turns = turns
        # What Twisted calls for each connection as soon as it is accepted.
        silent: Any = lambda _: _Silent()  # noqa: E731
        self.makeTLS, self._creatorCallable = self._creatorCallable, silent


@implementer(IStreamServerEndpoint)
class BufferedTLSEndpoint:
    """C{tcp} with TLS on it."""

    def __init__(
        self, tcp: IStreamServerEndpoint, options: IOpenSSLServerConnectionCreator, clock: IReactorTime
    ) -> None:
        self._tcp = tcp
        self._options = options
        self._turns = HandshakeTurns(clock)

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        listening: Deferred[IListeningPort] = self._tcp.listen(BufferedTLSFactory(self._options, factory, self._turns))
        return listening
