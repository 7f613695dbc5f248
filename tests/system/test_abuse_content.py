"""What somebody with a token may send as often as the limits allow: it costs the hub little, and others no time."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kernelnet.payloads import PART

from . import abuse
from .abuse import AbuseTestCase, Row, flood, line
from .support import RawClient

SECONDS = 20.0 if abuse.FULL else 3.0
"""Seconds that each flood lasts."""


def component(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "component": {"id": f"c{number}", "name": "n", "implementation": "i", "specialization": "general", **fields}
    }


def observation(number: int) -> dict[str, Any]:
    """A report of how a component is at work, at a site that nobody has heard of."""
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    seen = {
        "environment": "simulated",
        "site": digest[:32],
        "wasm_sha256": digest,
        "workbench": "file_system",
        "unit": "distance",
        "component": {"policy": "component", "score": 0.5},
        "beside": [{"policy": "lru", "score": 0.6}],
    }
    return {"performance": {}, "component_id": f"c{number}", "observation": seen}


def part(digest: str, number: int, data: bytes) -> dict[str, Any]:
    return {"step": "part", "digest": digest, "part": number, "data": base64.b64encode(data).decode()}


def begun() -> Iterator[dict[str, Any]]:
    """Steps of blobs of eight parts, of which one is sent."""
    data = os.urandom(PART)
    for i in itertools.count():
        digest = hashlib.sha256(b"%d" % i).hexdigest()
        yield {"step": "begin", "digest": digest, "size": 8 * PART, "trace_digest": digest}
        yield part(digest, 0, data)


class FloodTests(AbuseTestCase):
    MEDIAN = 100.0

    def flood(self, aiId: str, lines: Iterable[bytes], **hello: Any) -> int:
        """
        Send these as fast as the hub takes them, and read all that it says.

        @return: how many were sent.
        """
        client = self.client(aiId)
        client.hello(protocol=2, **hello)
        end = time.monotonic() + SECONDS
        count, _ = flood(client, lines, lambda: time.monotonic() > end)
        client.close()
        return count

    def told(self, row: Row, count: int) -> None:
        row.answer = f"{count} taken"
        self.assertGreater(count, 0)

    def test_words(self) -> None:
        """A hello with a megabyte of words is refused; nobody who comes then is told in a line that it can't take."""
        with self.row("40 hellos with a megabyte of words", growth=60) as row:
            for i in range(40):
                client = self.client(f"WORDS_{i}")
                client.send("hello", {"protocol": 2, "capabilities": [f"{j:0128}" for j in range(7500)]})
                self.assertEqual(json.loads(client._file.readline())["payload"]["code"], "invalid_message")
                client.close()
            late = self.client("LATE")
            late.send("hello", {"protocol": 2})
            size = len(late._file.readline())
            late.close()
            row.answer = f"invalid_message; a hello is answered by {size} bytes"
            self.assertLess(size, 256 * 1024)

    def test_hellos(self) -> None:
        """Hellos with ever new words leave nothing behind."""
        lines = (
            line("hello", {"protocol": 2, "capabilities": [f"w{i}x{j}y" * 8 for j in range(60)]}, "HELLOS", str(i))
            for i in itertools.count()
        )
        with self.row("hellos with ever new words", growth=60) as row:
            self.told(row, self.flood("HELLOS", lines))

    def test_sameBytes(self) -> None:
        """The same bytes under ever new ids are refused, and cost others nothing."""
        lines = (line("os_component_share", component(i), "SAME", str(i)) for i in itertools.count())
        with self.row("the same component under ever new ids", growth=60) as row:
            self.told(row, self.flood("SAME", lines))

    def test_features(self) -> None:
        """Requests for what nobody has are answered in the same time however much is stored."""
        lines = (line("feature_request", {"feature": f"f{i}"}, "FEATURES", str(i)) for i in itertools.count())
        with self.row("feature requests for what nobody has", growth=60) as row:
            self.told(row, self.flood("FEATURES", lines))

    def test_collaborations(self) -> None:
        """Who has four offers open makes no more of them."""
        offer = {"type": "cross_specialization", "description": "d" * 200}
        lines = (line("collaboration_request", offer, "OFFERS", str(i)) for i in itertools.count())
        with self.row("collaboration requests", growth=60) as row:
            self.told(row, self.flood("OFFERS", lines))
            self.assertLessEqual(self.status()["sessions"].get("offered", 0), 4)

    def test_large(self) -> None:
        """Megabytes as fast as they are taken delay nobody."""
        text = "x" * 1_000_000
        lines = (
            line("os_component_share", component(i, implementation=text + str(i)), "LARGE", str(i))
            for i in itertools.count()
        )
        with self.row("components of a megabyte", growth=100) as row:
            self.told(row, self.flood("LARGE", lines))

    def test_syncs(self) -> None:
        """Pages of the knowledge base without end delay nobody."""
        lines = (line("training_sync", {}, "SYNCS", str(i)) for i in itertools.count())
        with self.row("training_sync without end", growth=60) as row:
            self.told(row, self.flood("SYNCS", lines))

    def test_observations(self) -> None:
        """Observations of ever new sites and modules are bounded an owner, and cost others nothing."""
        lines = (line("performance_report", observation(i), "WITNESS", str(i)) for i in itertools.count())
        with self.row("observations of ever new sites", growth=60) as row:
            self.told(row, self.flood("WITNESS", lines))

    def test_begun(self) -> None:
        """Blobs that are begun, and never sent whole, are no more than one author may have."""
        lines = (line("payload", step, "BEGINNER", str(i)) for i, step in enumerate(begun()))
        with self.row("payloads begun without end", growth=60) as row:
            self.told(row, self.flood("BEGINNER", lines))
            blobs = sum(path.stat().st_size for path in (self.state.path / "blobs").iterdir())
            self.assertLess(blobs, 512 * 10**6)

    def test_readAgain(self) -> None:
        """Who reads the parts of a blob without end, and asks what is there, delays nobody."""
        data = os.urandom(4 * PART)
        digest, text = hashlib.sha256(data).hexdigest(), "a" * 64
        client = self.client("READER")
        client.hello(protocol=2)
        steps: list[dict[str, Any]] = [{"step": "begin", "digest": digest, "size": len(data), "trace_digest": text}]
        steps += [part(digest, i, data[i * PART : (i + 1) * PART]) for i in range(4)]
        for step in [*steps, {"step": "end", "digest": digest}]:
            client.send("payload", step)
            client.receive("payload")
        client.close()
        asked = itertools.cycle(
            [{"step": "find", "trace_digest": text}] + [{"step": "get", "digest": digest, "part": i} for i in range(4)]
        )
        lines = (line("payload", step, "READER", str(i)) for i, step in enumerate(asked))
        with self.row("a payload read again and again", growth=60) as row:
            self.told(row, self.flood("READER", lines))


class EndTests(AbuseTestCase):
    def test_underLoad(self) -> None:
        """SIGTERM ends a hub within five seconds while ten AIs send what they can and read nothing."""
        clients: list[RawClient] = []
        for i in range(10):
            client = self.client(f"LOAD_{i}")
            client.hello(protocol=2)
            client._socket.setblocking(False)
            clients.append(client)
        number = itertools.count()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for client in clients:
                block = b"".join(
                    line(
                        "os_component_share",
                        component(n, implementation=hashlib.sha256(b"%d" % n).hexdigest() * 300),
                        client.aiId,
                        str(n),
                    )
                    for n in itertools.islice(number, 3)
                )
                with contextlib.suppress(OSError):
                    client._socket.send(block)
        begin = time.monotonic()
        self.hub.process.terminate()
        self.hub.process.wait(30)
        self.assertLess(time.monotonic() - begin, 5.0)


class ModesTests(AbuseTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        before = os.umask(0)
        try:
            super().setUpClass()
        finally:
            os.umask(before)

    def test_modes(self) -> None:
        """Whatever the umask, what a hub keeps is its user's alone."""
        wrong = []
        for path in (self.state.path, *self.state.path.rglob("*")):
            mode = stat.S_IMODE(Path(path).lstat().st_mode)
            if mode & 0o077 and not path.is_symlink():
                wrong.append(f"{path} {mode:04o}")
        self.assertEqual(wrong, [])
