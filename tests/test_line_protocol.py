"""Framing, whatever way the stream is cut: `kernelnet.line_protocol`."""

from __future__ import annotations

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.line_protocol import LineProtocol


class Recorder(LineProtocol):
    """Keeps what comes: the handshake line in line mode, then all lines of each chunk."""

    MAX_LENGTH = 40
    maxLine = 60

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str | list[bytes]] = []

    @property
    def lines(self) -> list[bytes]:
        return [x for item in self.heard if isinstance(item, list) for x in item]

    def lineReceived(self, line: bytes) -> None:
        self.heard.append([line])
        self.setRawMode()

    def linesReceived(self, lines: list[bytes]) -> None:
        self.heard.append(lines)

    def lineTooLong(self) -> None:
        self.heard.append("too long")


def recorder(handshake: bytes = b"") -> Recorder:
    protocol = Recorder()
    protocol.makeConnection(StringTransport())
    if handshake:
        protocol.dataReceived(handshake + b"\n")
        protocol.heard.clear()
    return protocol


class LineProtocolTests(SynchronousTestCase):
    def test_everySplit(self) -> None:
        """Lines are the same wherever the stream is cut in two, in the handshake line too."""
        stream = b"first\nsecond\n\nthe third\r\n" + b"x" * 60 + b"\nlast\n"
        expected = stream.split(b"\n")[:-1]
        for cut in range(len(stream) + 1):
            protocol = recorder()
            for part in (stream[:cut], stream[cut:]):
                protocol.dataReceived(part)
            self.assertEqual(protocol.lines, expected, f"cut at {cut}")

    def test_everyTwoSplits(self) -> None:
        """Lines are the same wherever the stream is cut in three."""
        stream = b"ab\ncde\n\nf\ng"
        for first in range(len(stream) + 1):
            for second in range(first, len(stream) + 1):
                protocol = recorder()
                for part in (stream[:first], stream[first:second], stream[second:]):
                    protocol.dataReceived(part)
                self.assertEqual(protocol.lines, [b"ab", b"cde", b"", b"f"], f"cut at {first}, {second}")

    def test_bytewise(self) -> None:
        """One byte at a time gives the same lines."""
        protocol = recorder()
        for byte in b"first\nsecond\n\nthird\n":
            protocol.dataReceived(bytes([byte]))
        self.assertEqual(protocol.lines, [b"first", b"second", b"", b"third"])

    def test_chunk(self) -> None:
        """All complete lines of one chunk are handed over at once, the last part waits for its end."""
        protocol = recorder(b"hello")
        protocol.dataReceived(b"a\nb\nc\nrest")
        protocol.dataReceived(b" of it\n")
        self.assertEqual(protocol.heard, [[b"a", b"b", b"c"], [b"rest of it"]])

    def test_pipelined(self) -> None:
        """What comes behind the handshake line in the same chunk is under the large limit and is not lost."""
        protocol = recorder()
        protocol.dataReceived(b"hello\n" + b"x" * 60 + b"\n" + b"y" * 50)
        protocol.dataReceived(b"\n")
        self.assertEqual(protocol.heard, [[b"hello"], [b"x" * 60], [b"y" * 50]])

    def test_paused(self) -> None:
        """While a paused handshake is checked, what the client pipelines waits and trips no limit."""

        class Checking(Recorder):
            def lineReceived(self, line: bytes) -> None:
                super().lineReceived(line)
                self.pauseProducing()

        protocol = Checking()
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"hello\n" + b"x" * 60 + b"\nmore\n")
        self.assertEqual(protocol.heard, [[b"hello"]])
        protocol.resumeProducing()
        self.assertEqual(protocol.heard, [[b"hello"], [b"x" * 60, b"more"]])

    def test_handshakeLimit(self) -> None:
        """A handshake line may be as long as its limit, not a byte longer, ended or not."""
        protocol = recorder()
        protocol.dataReceived(b"x" * 40 + b"\n")
        self.assertEqual(protocol.heard, [[b"x" * 40]])
        for tooLong in (b"x" * 41 + b"\n", b"x" * 41, b"x" * 50_000):
            protocol = recorder()
            protocol.dataReceived(tooLong)
            self.assertEqual(protocol.heard, ["too long"])

    def test_limit(self) -> None:
        """After the handshake a line may be as long as the large limit, not a byte longer, ended or not."""
        for parts in ([b"x" * 60 + b"\n"], [b"x" * 60, b"\n"], [b"x" * 30, b"x" * 30 + b"\n"]):
            protocol = recorder(b"hello")
            for part in parts:
                protocol.dataReceived(part)
            self.assertEqual(protocol.lines, [b"x" * 60])
        for parts in ([b"x" * 61 + b"\n"], [b"x" * 60, b"x\n"], [b"x" * 61], [b"x" * 30, b"x" * 31]):
            protocol = recorder(b"hello")
            for part in parts:
                protocol.dataReceived(part)
            self.assertEqual([h for h in protocol.heard if h], ["too long"])

    def test_linesBeforeTheLongOne(self) -> None:
        """The lines before a too long one in the same chunk still count; those behind it don't."""
        protocol = recorder(b"hello")
        protocol.dataReceived(b"a\nb\n" + b"x" * 61 + b"\nc\nd")
        protocol.dataReceived(b"\ne\n")
        self.assertEqual(protocol.heard, [[b"a", b"b"], "too long"])

    def test_deafAfterwards(self) -> None:
        """After a line that was too long nothing more is heard, neither its rest nor a second complaint."""
        for handshake in (b"", b"hello"):
            protocol = recorder(handshake)
            for part in (b"x" * 70, b"x" * 70, b'x\n{"looks": "valid"}\n', b"y" * 500, b"\n"):
                protocol.dataReceived(part)
            self.assertEqual(protocol.heard, ["too long"])

    def test_shippedLimits(self) -> None:
        """The limits are 4 KiB before the handshake and 1 MiB after it."""
        self.assertEqual((LineProtocol.MAX_LENGTH, LineProtocol.maxLine), (4096, 1 << 20))

    def test_longLineIsLinear(self) -> None:
        """A line of 1 MiB in chunks of 64 bytes costs about as much a byte as one of 128 KiB."""

        class Large(Recorder):
            maxLine = 1 << 20

        def cost(length: int) -> float:
            best = float("inf")
            for _ in range(3):
                protocol = Large()
                protocol.makeConnection(StringTransport())
                protocol.setRawMode()
                begin = time.process_time()
                for _ in range(length // 64):
                    protocol.dataReceived(b"x" * 64)
                protocol.dataReceived(b"\n")
                best = min(best, time.process_time() - begin)
                self.assertEqual(protocol.lines, [b"x" * length])
            return best / length

        # Quadratic code is 8 times as dear a byte here; what a busy machine adds is not near that.
        self.assertTrue(cost(1 << 20) < 4 * cost(1 << 17))

    def test_sendLines(self) -> None:
        """Lines go out in one write with a newline each; no lines, or no connection, write nothing."""
        transport = StringTransport()
        protocol = Recorder()
        protocol.sendLines([b"lost"])
        protocol.makeConnection(transport)
        writes: list[bytes] = []
        self.patch(transport, "write", writes.append)
        protocol.sendLines([b"a", b"b"])
        protocol.sendLines([])
        self.assertEqual(writes, [b"a\nb\n"])

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
    def test_framing(self, stream: bytes, cuts: list[int]) -> None:
        """However a stream is cut, the same lines are heard up to the first that is too long."""
        whole = recorder()
        whole.dataReceived(stream)
        parts = recorder()
        places = sorted({0, len(stream), *(c for c in cuts if c < len(stream))})
        for begin, end in itertools.pairwise(places):
            parts.dataReceived(stream[begin:end])
        self.assertEqual(parts.lines, whole.lines)
        self.assertEqual(parts.heard.count("too long"), whole.heard.count("too long"))


class Skipping(Recorder):
    skipsLongLines = True


class SkippingTests(SynchronousTestCase):
    def test_everySplit(self) -> None:
        """Of a line that is too long nothing is heard, and of what is before and behind it all, however it is cut."""
        stream = b"a\nb\n" + b"x" * 200 + b"\nc\n" + b"y" * 61 + b"\n\nd\n"
        for cut in range(len(stream) + 1):
            for again in range(cut, len(stream) + 1, 7):
                protocol = Skipping()
                protocol.makeConnection(StringTransport())
                protocol.setRawMode()
                for part in (stream[:cut], stream[cut:again], stream[again:]):
                    protocol.dataReceived(part)
                self.assertEqual(protocol.lines, [b"a", b"b", b"c", b"", b"d"], f"cut at {cut}, {again}")
                self.assertEqual(protocol.heard.count("too long"), 2)

    def test_nothingIsKept(self) -> None:
        """A line without an end takes no memory, and is told of once."""
        protocol = Skipping()
        protocol.makeConnection(StringTransport())
        protocol.setRawMode()
        for _ in range(1000):
            protocol.dataReceived(b"x" * 50)
            self.assertLessEqual(sum(map(len, protocol._tail)), 60)
        protocol.dataReceived(b"\nnext\n")
        self.assertEqual([each for each in protocol.heard if each], ["too long", [b"next"]])
