"""Lines that are no lines, messages that are no messages, ids of others, and tokens that are guessed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import abuse
from .abuse import AbuseTestCase, Row, errorOf, line

PATTERN = {"pattern": {"id": "p", "type": "t", "confidence": 0.5}}


def raw(payload: str) -> bytes:
    """A pattern_share whose pattern's data is this JSON text, however odd."""
    return line("pattern_share", {"pattern": {**PATTERN["pattern"], "data": "@@"}}).replace(b'"@@"', payload.encode())


BOMBS: list[tuple[str, bytes, str]] = [
    # what, the line, and what is answered: a code, or ack
    ("lists 500,000 deep", b"[" * 500_000 + b"\n", "invalid_message"),
    ("lists 250,000 deep, closed", b"[" * 250_000 + b"]" * 250_000 + b"\n", "invalid_message"),
    ("lists 250,000 deep in a payload", raw("[" * 250_000 + "]" * 250_000), "invalid_message"),
    ("objects 100,000 deep in a payload", raw('{"a":' * 100_000 + "1" + "}" * 100_000), "invalid_message"),
    ("34 levels", raw("[" * 33 + "]" * 33), "invalid_message"),
    ("100,000 lists side by side", raw("[" + "[]," * 100_000 + "[]]"), "ack"),
    ("an integer of a million digits", raw("9" * 1_000_000), "invalid_message"),
    ("2^64", raw(str(2**64)), "invalid_message"),
    ("2^64 - 1", raw(str(2**64 - 1)), "ack"),
    ("1e999999999", raw("1e999999999"), "invalid_message"),
    ("a fraction of a million digits", raw("0." + "3" * 1_000_000), "ack"),
    ("1e-999999999", raw("1e-999999999"), "ack"),
    ("NaN", raw("NaN"), "not_json"),
    ("Infinity", raw("-Infinity"), "not_json"),
    ("a lone surrogate, escaped", raw('"\\ud800"'), "not_json"),
    ("a lone surrogate in UTF-8", raw('"@"').replace(b"@", b"\xed\xa0\x80"), "not_json"),
    ("NUL, escaped", raw('"a\\u0000b"'), "ack"),
    ("NUL, as it is", raw('"a\0b"'), "not_json"),
    ("a duplicate key", raw('{"a": 1, "a": 2}'), "ack"),
    ("50,000 times the same key", raw("{" + '"a":1,' * 50_000 + '"a":2}'), "ack"),
    ("50,000 keys", raw("{" + ",".join(f'"{i}":0' for i in range(50_000)) + "}"), "ack"),
    ("invalid UTF-8", raw('"@"').replace(b"@", b"\xff\xfe"), "not_json"),
    ("an overlong encoding", raw('"@"').replace(b"@", b"\xc0\xaf"), "not_json"),
    ("UTF-16", line("heartbeat", {}).decode().encode("utf-16"), "not_json"),
    ("a byte order mark", b"\xef\xbb\xbf" + line("heartbeat", {}), "not_json"),
    ("two objects", b"{} {}\n", "not_json"),
    ("no object", b"17\n", "invalid_message"),
    ("a million spaces", b" " * 1_000_000 + b"{}\n", "invalid_message"),
    ("a megabyte of garbage", b"\x80" * 1_000_000 + b"\n", "not_json"),
]


class BombTests(AbuseTestCase):
    def answer(self, data: bytes) -> str:
        """What the hub says to these bytes from somebody authenticated; whoever is closed was told why."""
        client = self.client("EVIL", self.token)
        client.hello(protocol=2)
        # Not what it waits for before and after this, since a large one before it, or it itself, was dear.
        begin = time.monotonic()
        client._socket.sendall(data)
        message: dict[str, Any] = {"message_type": ""}
        while message["message_type"] not in ("ack", "error"):
            message = json.loads(client._file.readline())
        self.took = time.monotonic() - begin
        code: str = message["payload"].get("code", "ack")
        closing = message["payload"].get("class") == "closing"
        if closing:
            self.assertEqual(client._file.readline(), b"", "the connection stays open")
        else:
            client.send("heartbeat", {"nonce": 7})
            client.receive("heartbeat")
        client.close()
        return code

    def test_bombs(self) -> None:
        """Each odd line has its answer, within a second; after one that isn't closing the connection goes on."""
        self.token = self.issueToken("EVIL")
        for what, data, expected in BOMBS:
            unique = data.replace(b'"message_id": "1"', f'"message_id": "{what[:99]}"'.encode())
            with self.row(f"line: {what}", growth=40) as row:
                row.answer = self.answer(unique)
                self.assertEqual(row.answer, expected)
                self.assertLess(self.took, 2.0)

    def test_firstLine(self) -> None:
        """The same as first line is no handshake; nobody learns more than that."""
        with self.row("the same as the first line") as row:
            answers: Counter[str] = Counter()
            for _, data, _ in BOMBS:
                stream = self.tls()
                with contextlib.suppress(OSError):
                    stream.sendall(data)
                answers[errorOf(stream)] += 1
                stream.close()
            self.assertLessEqual(set(answers), {"bad_credentials", "not_json", "line_too_long", "cut"})
            row.answer = ", ".join(f"{count} {code}" for code, count in sorted(answers.items()))


class LongLineTests(AbuseTestCase):
    MEGABYTES = 1000 if abuse.FULL else 50

    def pour(self, row: Row, stream: Any, byte: bytes) -> None:
        chunk = byte * 1_000_000
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(self.MEGABYTES):
                stream.sendall(chunk)
                sent += 1
        row.answer = f"{errorOf(stream)}; it took {sent} MB"

    def test_authenticated(self) -> None:
        """A line without an end is cut at 1 MiB, however much follows: the memory stays flat."""
        for byte in (b"x", b"["):
            with self.row(f"{self.MEGABYTES} MB of {byte.decode()} without a newline", growth=15) as row:
                client = self.client("EVIL")
                client.hello(protocol=2)
                self.pour(row, client._socket, byte)
                client.close()
            self.assertGreaterEqual(self.status()["errors"]["line_too_long"], 1)

    def test_beforeAuthentication(self) -> None:
        """Before authentication it is cut at 4 KiB; 100 at once take no more memory."""
        with self.row(f"20 times {self.MEGABYTES} MB as first line", growth=25) as row:
            before = self.status()["errors"].get("line_too_long", 0)
            with ThreadPoolExecutor(10) as pool:
                for _ in pool.map(lambda _: self.pour(row, self.tls(), b"y"), range(20)):
                    pass
            self.assertEqual(self.status()["errors"]["line_too_long"] - before, 20)

    def test_fullLines(self) -> None:
        """Lines of exactly 1 MiB are taken, from ten at once."""
        size = len(line("heartbeat", {"nonce": "n", "more": ""}, sender="BIG_0"))
        with self.row("10 clients with lines of 1 MiB", growth=140) as row:
            clients = [self.client(f"BIG_{i}") for i in range(10)]
            for client in clients:
                client.hello(protocol=2)
            for i, client in enumerate(clients):
                more = "n" * (1024 * 1024 + 1 - size)
                beat = line("heartbeat", {"nonce": "n", "more": more}, sender=f"BIG_{i}")
                self.assertEqual(len(beat), 1024 * 1024 + 1)
                client._socket.sendall(beat)
                self.assertEqual(client.receive("heartbeat")["payload"]["reply_to"], "n")
                client.close()
            row.answer = "answered"


class IdentityTests(AbuseTestCase):
    def error(self, client: Any, message: bytes) -> str:
        client._socket.sendall(message)
        return str(client.receive("error")["payload"]["code"])

    def test_spoofed(self) -> None:
        """Nobody speaks in another's name: it is refused, and goes nowhere."""
        with self.row("spoofed sender_id") as row:
            client, other = self.client("EVIL"), self.client("OTHER")
            client.hello(protocol=2)
            other.hello(protocol=2)
            for name in ("GOOD", "hub", "OTHER", "evil", "EVIL ", "EVIL\u202e", ""):
                self.assertEqual(self.error(client, line("pattern_share", PATTERN, sender=name)), "spoofed_sender")
            client.send("pattern_share", {"pattern": {"id": "real", "type": "t", "confidence": 0.5}})
            while (message := other.receive("pattern_share"))["sender_id"] == "GOOD":
                pass
            self.assertEqual((message["sender_id"], message["payload"]["pattern"]["id"]), ("EVIL", "real"))
            client.close()
            other.close()
            row.answer = "spoofed_sender"

    def test_replayed(self) -> None:
        """A message_id that was used for something else is refused; the same again is acknowledged as the first was."""
        with self.row("a replayed message_id, other content") as row:
            client = self.client("REPLAY")
            client.hello(protocol=2)
            first = line("pattern_share", PATTERN, sender="REPLAY", id="once")
            client._socket.sendall(first)
            seq = client.receive("ack")["payload"]["acked"][0][1]
            changed = {"pattern": {**PATTERN["pattern"], "confidence": 1.0}}
            for other in (
                line("pattern_share", changed, sender="REPLAY", id="once"),
                line("code_share", {"code": {"id": "x"}}, sender="REPLAY", id="once"),
                line("pattern_share", PATTERN, sender="REPLAY", id="once", target_ai="GOOD"),
            ):
                self.assertEqual(self.error(client, other), "conflicting_duplicate")
            client._socket.sendall(first)
            self.assertEqual(client.receive("ack")["payload"]["acked"], [["once", seq]])
            client.close()
            row.answer = "conflicting_duplicate"

    def test_handshakeIds(self) -> None:
        """An ai_id that is a path, has control or bidirectional characters, or is too long, is no ai_id."""
        odd = [
            "../../etc/passwd",
            "..",
            ".",
            "a/b",
            "a\\b",
            "a\x00b",
            "a\nb",
            "\x1b[2J",
            "\u202eIA",
            "А",
            "a" * 65,
            "-x",
        ]
        with self.row("ai_ids with ../, control, bidi") as row:
            for aiId in odd:
                stream = self.tls()
                stream.sendall(json.dumps({"ai_id": aiId, "token": "x"}).encode() + b"\n")
                self.assertEqual(errorOf(stream), "bad_credentials", repr(aiId))
                stream.close()
            row.answer = "bad_credentials"

    def test_messageIds(self) -> None:
        """A message_id must be printable ASCII; ids in payloads are words like others, harmless in log and files."""
        with self.row("message ids with control, bidi") as row:
            client = self.client("ODD")
            client.hello(protocol=2)
            for bad in ("", "a\x00", "a\nb", "\x1b[2J", "\u202eab", "é", "x" * 129):
                self.assertEqual(self.error(client, line("heartbeat", {}, sender="ODD", id=bad)), "invalid_message")
            row.answer = "invalid_message"
            files = sorted(path for path in self.folder.rglob("*"))
            begin = len(self.hub.lines)
            for i, odd in enumerate(("../../../etc/passwd", "a\nb\r\nc", "\x1b[2J\x07", "\u202eIA\u2066", "\x00")):
                for kind, payload in (
                    ("pattern_share", {"pattern": {"id": odd, "type": odd, "confidence": 0.5}}),
                    ("os_component_share", {"component": component(id=odd, name=odd)}),
                    ("performance_report", {"component_id": odd, "performance": {odd: 1}}),
                ):
                    client._socket.sendall(line(kind, payload, sender="ODD", id=f"{kind}-{i}"))
                    client.receive("ack")
            client.close()
            self.assertEqual(sorted(path for path in self.folder.rglob("*")), files)
            text = "\n".join(self.hub.lines[begin:])
            for sign in ("\x1b", "\x07", "\u202e", "\u2066", "\x00"):
                self.assertNotIn(sign, text)
            row.answer = "invalid_message; in payloads: ack, '?' in the log"

    def test_lies(self) -> None:
        """A report binds who made it: an author's word on its own component confirms nothing, and is one AI's word."""
        with self.row("a report that lies") as row:
            client = self.client("LIAR")
            client.hello(protocol=2)
            shared = {"component": component(id="wonder", digest="d" * 64, development_level=1.0)}
            client._socket.sendall(line("os_component_share", shared, sender="LIAR", id="c"))
            client.receive("ack")
            for i in range(20):
                report = {
                    "component_id": "wonder",
                    "digest": "d" * 64,
                    "verdict": "confirmed",
                    "performance": {"score": 1e308},
                }
                client._socket.sendall(line("performance_report", report, sender="LIAR", id=f"r{i}"))
                client.receive("ack")
            self.assertEqual(self.status()["stored"]["confirmed_components"], 0)
            lies: list[dict[str, Any]] = [{"verdict": "true"}, {"performance": []}, {"performance": 1}, {"digest": 7}]
            for i, bad in enumerate(lies):
                report = {"component_id": "wonder", "performance": {}, **bad}
                code = self.error(client, line("performance_report", report, sender="LIAR", id=f"b{i}"))
                self.assertEqual(code, "invalid_message", bad)
            client.close()
            row.answer = "stored as its author's word; confirms nothing"


def component(**fields: Any) -> dict[str, Any]:
    return {"id": "c", "name": "n", "implementation": "int x;", "specialization": "general", **fields}


class TokenTests(AbuseTestCase):
    def test_guessing(self) -> None:
        """Of any number of wrong tokens from one address no more are looked at than the bucket has room for."""
        count = 100_000 if abuse.FULL else 2000
        self.issueToken("VICTIM")
        with self.row(f"{count:,} wrong tokens", growth=100) as row:
            begin = time.monotonic()
            answers: Counter[str] = Counter()
            lock = threading.Lock()

            def guess(worker: int) -> None:
                mine: Counter[str] = Counter()
                session = None
                for i in range(count // 16):
                    stream = self.context().wrap_socket(self.tcp(), server_hostname="localhost", session=session)
                    stream.sendall(b'{"ai_id": "VICTIM", "token": "%032d"}\n' % (worker * 1_000_000 + i))
                    mine[errorOf(stream)] += 1
                    session = stream.session or session
                    # By a reset, or so many ports would be waiting that none is left.
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    stream.close()
                with lock:
                    answers.update(mine)

            with ThreadPoolExecutor(16) as pool:
                list(pool.map(guess, range(16)))
            seconds = time.monotonic() - begin
            self.assertLessEqual(set(answers), {"bad_credentials", "too_many_failures"})
            self.assertLessEqual(answers["bad_credentials"], 5 + seconds / 6 + 1)
            self.assertGreaterEqual(answers["bad_credentials"], 5)
            limits = self.status()["limits"]
            self.assertEqual(limits["failed"], answers["bad_credentials"])
            self.assertEqual(limits["unchecked"], answers["too_many_failures"])
            row.answer = f"{limits['failed']} looked at, {limits['unchecked']:,} too_many_failures"


class NeighbourTests(AbuseTestCase):
    def test_others(self) -> None:
        """Meanwhile an AI that was here before comes in again from that address, and a new one from another."""
        token = self.issueToken("KNOWN")
        known = self.client("KNOWN", token)
        known.hello()
        known.close()
        new = self.issueToken("NEW")
        self.waitUntil(lambda: self.status()["connections"] == 1, "connections are left")
        with self.row("20 wrong tokens, others come meanwhile") as row:
            for i in range(20):
                stream = self.tls()
                stream.sendall(b'{"ai_id": "NEW", "token": "%d"}\n' % i)
                answer = errorOf(stream)
                stream.close()
            self.assertEqual(answer, "too_many_failures")
            known = self.client("KNOWN", token)
            known.hello()
            known.close()
            stream = self.tls("127.0.4.1")
            stream.sendall(json.dumps({"ai_id": "NEW", "token": new}).encode() + b"\n")
            stream.sendall(line("hello", {"specialization": "general"}, sender="NEW"))
            self.assertIn(b"training_sync", stream.recv(65536))
            stream.close()
            row.answer = "both are let in"
