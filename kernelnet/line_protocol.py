"""`LineProtocol`: lines over a stream, each within its limit; both ends of a connection are built on it."""

from __future__ import annotations

from twisted.protocols.basic import LineReceiver

from kernelnet.wire import AUTHENTICATED_LINE, HANDSHAKE_LINE

__all__ = ["LineProtocol"]


class LineProtocol(LineReceiver):
    """
    Lines of JSON over a stream; the base of both ends.

    It starts in line mode with the small limit of the handshake line.  After C{setRawMode()} it splits
    whole chunks itself and hands over all complete lines of a chunk at once: `LineReceiver`'s own loop
    costs 2.4 times as much at 16 KiB chunks, and is quadratic on long lines.

    @cvar skipsLongLines: whether what follows a line that is too long is heard, or nothing more.
    """

    delimiter = b"\n"
    MAX_LENGTH = HANDSHAKE_LINE
    maxLine = AUTHENTICATED_LINE
    skipsLongLines = False
    _deaf = False

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._tailLength = 0

    def rawDataReceived(self, data: bytes) -> None:
        if self._deaf:
            if not self.skipsLongLines:
                return
            _, newline, data = data.partition(b"\n")
            self._deaf = not newline
        if not data:
            return
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return
        block = b"".join([*self._tail, data[:end]]) if self._tail else data[:end]
        self._tail = []
        self._tailLength = 0
        lines = block.split(b"\n")
        while (long := next((i for i, line in enumerate(lines) if len(line) > self.maxLine), None)) is not None:
            self.linesReceived(lines[:long])
            if not self.skipsLongLines:
                self._hearNoMore()
                return
            self.lineTooLong()
            lines = lines[long + 1 :]
        if lines:
            self.linesReceived(lines)
        if end + 1 < len(data):
            self._keep(data[end + 1 :])

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tailLength += len(data)
        if self._tailLength > self.maxLine:
            self._hearNoMore()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._hearNoMore()

    def _hearNoMore(self) -> None:
        # While the error is on its way out, bytes still come in: the rest of the long line is no line of its own.
        self._deaf = True
        self._tail = []
        self._tailLength = 0
        self.line_mode = 0  # what setRawMode() does
        self.lineTooLong()

    def lineTooLong(self) -> None:
        """
        The peer sent more than the limit without a newline: tell it and close.

        Nothing more is heard of it, or with C{skipsLongLines} what comes after that line.
        """
        raise NotImplementedError

    def linesReceived(self, lines: list[bytes]) -> None:
        """All complete lines of one chunk, in order."""
        raise NotImplementedError

    def sendLines(self, lines: list[bytes]) -> None:
        """Send lines (without newlines) with one write."""
        if lines and self.transport is not None:
            self.transport.write(b"\n".join([*lines, b""]))
