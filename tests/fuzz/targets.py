"""
What is fuzzed.  Each target takes any bytes and raises only if something of ours is wrong.

- `decoder`: a line from a client, and from a hub, to a checked message and its checked payload, and back
- `handshake`: any bytes in any pieces to a hub's connection that is not authenticated, and then to one that is
- `expression`: a component's source or a building block's text to a tree, and back, and on to WebAssembly
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from kernelnet import message as m
from kernelnet import wire
from kernelnet.expressions.simplification import simplified
from kernelnet.expressions.syntax import ARITY, ExpressionError, fromSource, parse, text, toC
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.line_protocol import LineProtocol
from kernelnet.message import MessageType, NetworkMessage
from kernelnet.wire import WireProblem
from kernelnet.workbench.file_system import workbench
from tests import wire_examples
from tests.hub.support import Client, Hub

__all__ = ["TARGETS", "corpus", "decoder", "expression", "handshake", "words"]

_RANK = workbench.abis[1]


def decoder(data: bytes) -> None:
    """
    The result is a message or a `WireProblem`; a message that was taken is taken again after it was encoded, and the
    second encoding is the first.
    """
    for decode, types in ((wire.decode, wire.FROM_CLIENT), (wire.decodeFromHub, wire.FROM_HUB)):
        message = _decoded(decode, data)
        if message is None:
            continue
        line = wire.encode(message)
        assert b"\n" not in line, line
        again = decode(line)
        assert wire.encode(again) == line, (line, wire.encode(again))
        cls = types[message.message_type]
        if cls is None:
            continue
        try:
            payload = wire.decodePayload(message, cls)
        except WireProblem as problem:
            _checkProblem(problem)
        else:
            msgspec.convert(wire.encodePayload(payload), cls)
    with contextlib.suppress(WireProblem):
        wire.decodeHandshake(data)


def _decoded(decode: Any, data: bytes) -> NetworkMessage | None:
    try:
        message: NetworkMessage = decode(data)
    except WireProblem as problem:
        _checkProblem(problem)
        return None
    return message


def _checkProblem(problem: WireProblem) -> None:
    payload = wire.encodePayload(wire.problemPayload(problem))
    # Whatever a peer sent, the answer to it is a line that the peer can read.
    wire.decodeFromHub(wire.encode(NetworkMessage("e", "hub", MessageType.ERROR, "2026-11-22T15:00:00Z", payload)))


class _HubUnderTest:
    """A hub without sockets that is made once: a new one for each input would be a thousand times slower."""

    def __init__(self) -> None:
        self._complaints: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_level"] >= LogLevel.error:
                self._complaints.append(f"{formatEvent(event)}: {event.get('log_failure')}")

        globalLogPublisher.addObserver(observe)
        self._folder = TemporaryDirectory(prefix="kernelnet-fuzz-")
        self.hub = Hub(Path(self._folder.name) / "hub_data.db")
        self.hub.issue("AI_1")

    def feed(self, data: bytes, authenticated: bool) -> None:
        hub = self.hub
        client = Client(hub, "AI_1")
        if authenticated:
            client.authenticate()
            client.hello()
            assert not client.closing
        for piece in _pieces(data):
            if client.closing:
                break
            client.raw(piece)
        if not authenticated:
            assert client.protocol.aiId == "", "somebody came in"
        for answer in client.lines():
            wire.decodeFromHub(answer)
        client.leave()
        hub.clock.advance(60)
        assert hub.connections.count == 0
        assert not hub.connections.byId, hub.connections.byId
        assert not self._complaints, self._complaints


@cache
def _underTest() -> _HubUnderTest:
    return _HubUnderTest()


def handshake(data: bytes) -> None:
    """Nobody comes in without a token, every answer is a valid line, and nothing of a connection stays behind."""
    _underTest().feed(data[1:], authenticated=data[:1] == b"\1")
    _frame(data)


def _pieces(data: bytes) -> list[bytes]:
    """The bytes in pieces whose sizes the bytes themselves say."""
    if not data:
        return []
    size = data[0] or 1
    return [data[i : i + size] for i in range(1, len(data), size)][:64]


class _Framed(LineProtocol):
    maxLine = 64

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []
        self.tooLong = False

    def linesReceived(self, lines: list[bytes]) -> None:
        self.lines += lines

    def lineTooLong(self) -> None:
        self.tooLong = True


def _frame(data: bytes) -> None:
    """The framing says the same of some bytes whatever the pieces are that they come in."""
    results = []
    for pieces in ([data[1:]], _pieces(data)):
        protocol = _Framed()
        protocol.makeConnection(StringTransport())
        protocol.setRawMode()
        for piece in pieces:
            protocol.dataReceived(piece)
        results.append((protocol.lines, protocol.tooLong))
    if len(_pieces(data)) < 64:
        assert results[0] == results[1], results


def expression(data: bytes) -> None:
    """Text is a tree or an `ExpressionError`; a tree is printed and read as the same one, and so is a simpler one."""
    source = data.decode("utf-8", errors="replace")
    fromSource(source, _RANK.features)
    try:
        tree = parse(source, _RANK.features)
    except ExpressionError:
        return
    for one in (tree, simplified(tree)):
        assert repr(parse(text(one), _RANK.features)) == repr(one), one
        assert repr(fromSource(toC(one, _RANK, "kn_file_system.h"), _RANK.features)) == repr(one), one
        toWasm(one, _RANK)


TARGETS = {"decoder": decoder, "expression": expression, "handshake": handshake}


def words() -> set[str]:
    """What a fuzzer should know of the language: names of fields and types, and values at the edges."""
    found = {kind.value for kind in MessageType}
    for cls in vars(m).values():
        if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
            found.update(cls.__struct_encode_fields__)
    edges = {
        "null",
        "true",
        "1e309",
        "-1",
        str(2**63),
        str(2**64),
        "0.5",
        "[]",
        "{}",
        "[[",
        "]]",
        '{"a":',
        "\\ud800",
        "\\u0000",
    }
    language = {f"{word}(" for word in ARITY} | set(_RANK.features) | {"expression: ", "*/", "1e308"}
    return language | {f'"{word}"' for word in found} | {f'"{word}":' for word in found} | edges


def corpus(name: str) -> list[bytes]:
    """Good inputs to start from: one of each type, and what was found before."""
    if name == "expression":
        calls = (f"{operation}({', '.join(_RANK.features[: ARITY[operation]])})" for operation in ARITY)
        found = [
            *_RANK.known,
            *calls,
            "-(-1e308) * .5 - (age + 2)",
            "(" * 100,
            "-" * 2000 + "1",
            "1e309",
            "/*expression: 1*/",
        ]
        return [source.encode() for source in found]
    lines = [b'{"ai_id": "AI_1", "token": "x"}']
    for kind in MessageType:
        payload = getattr(wire_examples, kind.name, {})
        lines.append(wire.encode(NetworkMessage("m1", "AI_1", kind, "2026-11-22T15:00:00Z", payload, None)))
    observed = NetworkMessage(
        "m1", "AI_1", MessageType.PERFORMANCE_REPORT, "2026-11-22T15:00:00Z", wire_examples.OBSERVED
    )
    lines.append(wire.encode(observed))
    lines += [lines[-1][:-1] + b',"seq":7}', b"[" * 100, b'{"a":' * 50, b"\xff\xfe", b'"\\ud800"', b"1e999", b"9" * 40]
    if name == "decoder":
        return lines
    return [head + line + b"\n" for line in lines for head in (b"\0\xff", b"\1\xff", b"\1\7")]
