"""
What the tests of abuse share: a real hub over TLS, a well-behaved trainer that is served meanwhile, the hub's memory.

Each row of what is tried is one C{with self.row("…")}: it fails if the hub ends, complains, keeps a connection, grows
by more than it may, or lets the well-behaved trainer wait.  The table of rows is printed at the end of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import TestCase

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory

from .support import PATIENCE, Process, RawClient, Twistd

FULL = os.environ.get("KERNELNET_ABUSE") == "full"
"""Whether the long forms run: C{make abuse}."""

ROWS: list[Row] = []


@dataclass
class Row:
    """What became of one kind of abuse; memory in MB, the well-behaved trainer's round trips in ms."""

    name: str
    answer: str = ""
    before: float = 0.0
    peak: float = 0.0
    after: float = 0.0
    seconds: float = 0.0
    good: dict[str, Any] = field(default_factory=dict)
    passed: bool = False


def table() -> list[str]:
    """The rows so far, for people."""
    lines = [
        f"{'abuse':<44} {'MB before/peak/after':>26} {'ping ms median/p95/worst':>26} {'ack ms':>9}  answer",
    ]
    for row in ROWS:
        memory = f"{row.before:.0f} / {row.peak:.0f} / {row.after:.0f}"
        ping, ack = row.good.get("ping", {}), row.good.get("ack", {})
        trip = f"{ping.get('median', 0):.1f} / {ping.get('p95', 0):.0f} / {ping.get('worst', 0):.0f}"
        failed = "" if row.passed else "FAILED: "
        lines.append(
            f"{row.name:<44} {memory:>26} {trip:>26} {ack.get('median', 0):>9.1f}  {failed}{row.answer}"
            f" ({row.seconds:.1f} s)"
        )
    return lines


class GoodTrainer:
    """The process that behaves, see C{good_trainer.py}."""

    def __init__(self, state: StateDirectory, port: int, token: str) -> None:
        script = Path(__file__).with_name("good_trainer.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(state.caCertificate), str(port), "GOOD"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        try:
            self._say(token)
            self.report()
        except BaseException:
            self.close()
            raise

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def report(self) -> dict[str, Any]:
        """What it measured since the last time."""
        self._say("report")
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise AssertionError("the well-behaved trainer has no answer from the hub")
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the well-behaved trainer lost the hub")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Memory(threading.Thread):
    """Watches the resident memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._end = threading.Event()
        self.peak = self.now()

    def now(self) -> float:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text()
        except OSError:
            return 0.0
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def run(self) -> None:
        while not self._end.wait(0.05):
            self.peak = max(self.peak, self.now())

    def stop(self) -> None:
        self._end.set()
        self.join()
        self.peak = max(self.peak, self.now())


@contextlib.contextmanager
def measured(name: str, pid: int) -> Iterator[Row]:
    """A row of the table: how long it takes, and the memory of a process before it, at its worst, and after it."""
    row = Row(name)
    ROWS.append(row)
    memory = Memory(pid)
    row.before = memory.now()
    memory.start()
    begin = time.monotonic()
    try:
        yield row
    finally:
        row.seconds = time.monotonic() - begin
        memory.stop()
        row.peak, row.after = memory.peak, memory.now()


class AbuseTestCase(TestCase):
    """
    One hub and one well-behaved trainer for all tests of a class.

    @cvar options: further options of the hub.
    """

    options: Sequence[str] = ()
    MEDIAN = 250.0
    """Milliseconds that the well-behaved trainer's median round trip may take, on a machine with two cores that also
    runs the attackers."""
    WORST = 5000.0

    folder: Path
    state: StateDirectory
    hub: Process
    good: GoodTrainer
    port: int
    _context: ssl.SSLContext

    @classmethod
    def setUpClass(cls) -> None:
        _allowDescriptors()
        folder = tempfile.TemporaryDirectory(prefix="kernelnet-abuse-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.state = StateDirectory(cls.folder / "state")
        cls.hub = cls.startHub()
        cls.addClassCleanup(cls.hub.close)
        cls._context = ssl.create_default_context(cafile=str(cls.state.caCertificate))
        cls.port = int(cls.status()["port"])
        cls.issueToken("SINK")
        cls.good = GoodTrainer(cls.state, cls.port, cls.issueToken("GOOD"))
        cls.addClassCleanup(cls.good.close)

    @classmethod
    def startHub(cls) -> Process:
        hub = Twistd("kernelhub", "--port", "0", "--state", str(cls.state.path), *cls.options, cwd=cls.folder)
        try:
            hub.waitFor("[Ll]istening on")
        except AssertionError:
            hub.close()
            raise
        return hub

    @classmethod
    def status(cls) -> dict[str, Any]:
        found: dict[str, Any] = control_client.call(cls.state, {"command": "status"})
        return found

    @classmethod
    def issueToken(cls, aiId: str) -> str:
        token: str = control_client.call(cls.state, {"command": "tokens issue", "ai_id": aiId})["token"]
        return token

    def client(self, aiId: str, token: str | None = None) -> RawClient:
        client = RawClient(self.state, self.port, aiId, token or self.issueToken(aiId))
        client._socket.settimeout(PATIENCE)
        self.addCleanup(client.close)
        return client

    @contextlib.contextmanager
    def row(self, name: str, growth: float = 25.0, left: int = 1) -> Iterator[Row]:
        """
        One kind of abuse.

        @param growth: MB by which the hub may be larger meanwhile.
        @param left: how many connections there are at the end; what is C{RawClient} and not closed counts.
        """
        self.good.report()
        lines = len(self.hub.lines)
        with measured(name, self.hub.process.pid) as row:
            yield row
        row.good = self.good.report()
        self.assertIsNone(self.hub.process.poll(), "the hub has ended")
        complaints = [line for line in self.hub.lines[lines:] if "Traceback" in line or "Unhandled" in line]
        self.assertEqual(complaints, [])
        self.waitUntil(lambda: self.status()["connections"] == left, "connections are left")
        self.assertLess(row.peak - row.before, growth, "the hub's memory grew")
        self.assertGreater(row.good["ping"]["count"], 0)
        self.assertLess(row.good["ping"]["median"], self.MEDIAN)
        self.assertLess(max(row.good["ping"]["worst"], row.good["ack"]["worst"]), self.WORST)
        row.passed = True

    def waitUntil(self, condition: Callable[[], bool], otherwise: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"{otherwise}: {self.status()}")
            time.sleep(0.05)

    def tcp(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection that has not begun TLS."""
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0))
        self.addCleanup(raw.close)
        return raw

    def tls(self, source: str = "127.0.0.1", session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection that has, and has not said who it is."""
        stream = self.context().wrap_socket(self.tcp(source), server_hostname="localhost", session=session)
        self.addCleanup(stream.close)
        return stream

    def context(self) -> ssl.SSLContext:
        return self._context


def line(kind: str, payload: Any, sender: str = "EVIL", id: str = "1", **fields: Any) -> bytes:
    """A message as its line, with its newline."""
    message = {"message_id": id, "sender_id": sender, "message_type": kind, "timestamp": "2026-11-22T12:00:00Z"}
    return json.dumps({**message, "payload": payload, "target_ai": None, **fields}).encode() + b"\n"


def flood(client: RawClient, lines: Iterable[bytes], isOver: Callable[[], bool]) -> tuple[int, int]:
    """
    Send these as fast as the hub takes them, and read all that it says.

    @param isOver: whether to end before the lines do.
    @return: number of lines that were sent whole, and of bytes.
    """
    stream = client._socket
    count = size = 0
    for block in _blocks(lines):
        data = memoryview(b"".join(block))
        while data and not isOver():
            stream.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                sent = stream.send(data[:65536])
                data, size = data[sent:], size + sent
            stream.setblocking(False)
            with contextlib.suppress(OSError):
                while stream.recv(1 << 20):
                    pass
        if data:
            break
        count += len(block)
    return count, size


def _blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    size = 0
    for one in lines:
        block.append(one)
        size += len(one)
        if size > 32_000:
            yield block
            block, size = [], 0


def errorOf(stream: socket.socket) -> str:
    """The code of the error that the hub says before it closes; how it closed if it says none."""
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while part := stream.recv(65536):
            data += part
    codes = [json.loads(line)["payload"].get("code") for line in data.splitlines()]
    return codes[-1] if codes else "cut"


def closed(streams: Sequence[socket.socket]) -> int:
    """How many of them the hub has closed, of those that nothing else was sent to."""
    count = 0
    poll = select.poll()
    for stream in streams:
        poll.register(stream, select.POLLIN | select.POLLRDHUP)
    for _, event in poll.poll(0):
        count += bool(event & (select.POLLHUP | select.POLLRDHUP | select.POLLERR))
    return count


def mayOpen(wanted: int) -> int:
    """So many connections, or fewer where a process may not open so many files."""
    return min(wanted, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200))


def _allowDescriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Swarm:
    """Many clients that do each step at once, in one thread: a storm is no storm if each waits for the one before."""

    def __init__(self, context: ssl.SSLContext, port: int, count: int) -> None:
        self.streams: list[ssl.SSLSocket] = []
        for _ in range(count):
            raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
            raw.setblocking(False)
            self.streams.append(
                context.wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=False),
            )

    def handshake(self) -> None:
        """TLS with all of them."""
        self._each(lambda i, stream: stream.do_handshake())

    def send(self, lines: Sequence[bytes]) -> None:
        """Its line from each."""
        for stream, line in zip(self.streams, lines, strict=True):
            stream.setblocking(True)
            stream.sendall(line)
            stream.setblocking(False)

    def expect(self, word: bytes) -> int:
        """Wait until each got a line with C{word} or was closed.  @return: how many got it."""
        got = [b""] * len(self.streams)

        def read(i: int, stream: ssl.SSLSocket) -> None:
            while word not in got[i] and (part := stream.recv(65536)):
                got[i] += part

        self._each(read)
        return sum(word in each for each in got)

    def _each(self, step: Callable[[int, ssl.SSLSocket], None]) -> None:
        pending = {stream.fileno(): (i, stream) for i, stream in enumerate(self.streams)}
        poll = select.poll()
        deadline = time.monotonic() + PATIENCE
        for fd in pending:
            poll.register(fd, select.POLLIN)
        ready = list(pending)
        while pending:
            for fd in ready:
                if fd not in pending:
                    continue
                try:
                    step(*pending[fd])
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    pass  # it was cut
                poll.unregister(fd)
                del pending[fd]
            ready = [fd for fd, _ in poll.poll(1000)] if pending else []
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(pending)} clients wait for the hub")

    def abort(self) -> None:
        """All are gone at once, without a goodbye."""
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.close()
