"""Start and end of a hub, as a user meets them: real processes, real TLS."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any
from unittest import SkipTest, mock

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kernelnet.hub import composition, service
from kernelnet.hub.admin.control_client import NoHub, call
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.postgres import PostgresBlobs
from kernelnet.hub.tap import Options
from kernelnet.identity import StateDirectory
from tests.postgres import server

from .support import HubTestCase, aPattern

SECONDS = 60.0
"""How long anything may take before a test gives up."""

SOMAXCONN = 4096
"""Number of connections that Linux holds for a port at most, whatever it is asked for, unless somebody changed that."""


def hasIPv6() -> bool:
    """Whether the loopback has an IPv6 address."""
    try:
        with socket.socket(socket.AF_INET6) as made:
            made.bind(("::1", 0))
    except OSError:
        return False
    return True


class Process:
    """A hub as a user starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.state = StateDirectory(folder / "state")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error::ResourceWarning",
                "-c",
                "from twisted.scripts.twistd import run; run()",
                "-n",
                "kernelhub",
                "--state",
                str(self.state.path),
                *arguments,
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if "Listening on" in line:
                self._listening.set()
        self._listening.set()

    @property
    def text(self) -> str:
        return "".join(self.output)

    def port(self) -> int:
        """Where it listens, once it does."""
        if not self._listening.wait(SECONDS):
            raise AssertionError(f"the hub does not listen:\n{self.text}")
        match = re.search(r"Listening on port (\d+)", self.text)
        if match is None:
            raise AssertionError(f"the hub has ended:\n{self.text}")
        return int(match[1])

    def end(self, signalNumber: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signalNumber)
        return self.wait()

    def wait(self) -> int:
        try:
            code = self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(SECONDS)
            if self.process.stdout is not None:
                self.process.stdout.close()
        return code


class Client:
    """A raw client over TLS, with nothing but the standard library."""

    def __init__(self, state: StateDirectory, port: int, aiId: str, token: str, **hello: Any) -> None:
        context = ssl.create_default_context(cafile=str(state.caCertificate))
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.aiId = aiId
        self._file = self.socket.makefile("rb")
        self._count = 0
        self.write({"ai_id": aiId, "token": token})
        self.send("hello", {"specialization": "general", **hello})

    def write(self, value: object) -> None:
        self.socket.sendall(json.dumps(value).encode() + b"\n")

    def send(self, type: str, payload: object, target: str | None = None, id: str | None = None) -> None:
        self._count += 1
        self.write(
            {
                "message_id": id or f"{self.aiId}-{type}-{self._count}",
                "sender_id": self.aiId,
                "message_type": type,
                "timestamp": "2026-11-22T15:00:00Z",
                "payload": payload,
                "target_ai": target,
            }
        )

    def read(self) -> dict[str, Any] | None:
        """The next message; C{None} at the end."""
        try:
            line = self._file.readline()
        except (ConnectionError, ssl.SSLError):
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def next(self, *types: str) -> dict[str, Any]:
        """The next message of one of the types."""
        while (message := self.read()) is not None:
            if message["message_type"] in types:
                return message
        raise AssertionError("the hub closed the connection")

    def waiting(self) -> bool:
        """Whether something can be read at once."""
        return bool(self.socket.pending() or select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class ProcessTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kn"))
        self.addCleanup(rmtree, self.folder)
        self.hubs: list[Process] = []

    def start(self, *arguments: str) -> Process:
        hub = Process(self.folder, *(arguments or ("--port", "0")))
        self.hubs.append(hub)
        self.addCleanup(hub.end)
        return hub

    def connect(self, hub: Process, aiId: str, token: str | None = None, **hello: Any) -> Client:
        client = Client(hub.state, hub.port(), aiId, token or hub.state.readJoinToken(), **hello)
        self.addCleanup(client.close)
        return client


class ServiceTests(ProcessTestCase):
    def test_justWorks(self) -> None:
        """On a fresh machine: start it, enrol over TLS, share with a version 1 client, look at the status, stop it."""
        hub = self.start()
        new = self.connect(hub, "AI_1", protocol=2)
        credential = new.next("training_sync")["payload"]["credential"]
        token = call(hub.state, {"command": "tokens issue", "ai_id": "OLD"})["token"]
        old = self.connect(hub, "OLD", token)
        self.assertEqual(old.next("training_sync")["payload"]["active_ais"], ["AI_1", "OLD"])
        new.send("pattern_share", aPattern())
        self.assertEqual(new.next("ack")["payload"]["acked"][0][1], 1)
        self.assertNotIn("seq", old.next("pattern_share"))
        status = call(hub.state, {"command": "status"})
        self.assertEqual((status["port"], sorted(status["ais"])), (hub.port(), ["AI_1", "OLD"]))
        self.assertEqual(hub.end(), -signal.SIGTERM)  # twistd ends by the signal it got
        self.assertEqual(new.next("error")["payload"]["code"], "shutting_down")
        self.assertIsNone(new.read())
        for secret in (credential, token, hub.state.readJoinToken()):
            self.assertNotIn(secret, hub.text)
        for word in ("Traceback", "Unhandled"):
            self.assertNotIn(word, hub.text)
        for line in ("AI_1 joined", "pattern p1 shared by AI_1", "AI_1 left"):
            self.assertIn(line, hub.text)
        with self.assertRaises(NoHub):
            call(hub.state, {"command": "status"})

    def test_wrongToken(self) -> None:
        """A wrong token gets its answer and a clean, quick end over TLS."""
        hub = self.start()
        client = self.connect(hub, "AI_1", "wrong")
        self.assertEqual(client.next("error")["payload"]["code"], "bad_credentials")
        before = time.monotonic()
        self.assertIsNone(client.read())
        self.assertLess(time.monotonic() - before, 2)

    def test_tls(self) -> None:
        """TLS 1.2 is the floor, 1.3 the norm; the certificate is for localhost, and the chain leads to ca.pem."""
        hub = self.start("--port", "0", "--host", "hub.example")
        client = self.connect(hub, "AI_1", protocol=2)
        self.assertEqual(client.socket.version(), "TLSv1.3")
        context = ssl.create_default_context(cafile=str(hub.state.caCertificate))
        with socket.create_connection(("127.0.0.1", hub.port()), SECONDS) as plain:
            context.wrap_socket(plain, server_hostname="hub.example").close()
        with (
            socket.create_connection(("127.0.0.1", hub.port()), SECONDS) as plain,
            self.assertRaises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(plain, server_hostname="other.example")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", hub.port()), SECONDS) as plain, self.assertRaises(OSError):
            old.wrap_socket(plain)

    def test_ipv6(self) -> None:
        """A hub with the default port is there at [::1] too, by the same name and certificate, and leaves nothing."""
        if not hasIPv6():
            raise SkipTest("this machine has no IPv6 loopback")
        hub = self.start()
        where = ("::1", hub.port())
        trust = ssl.create_default_context(cafile=str(hub.state.caCertificate))
        with (
            socket.create_connection(where, SECONDS) as plain,
            trust.wrap_socket(plain, server_hostname="::1") as secure,
        ):
            secure.sendall(b'{"ai_id": "AI_1", "token": "wrong"}\n')
            self.assertIn(b"bad_credentials", secure.recv(10_000))
        self.connect(hub, "AI_1", protocol=2).next("training_sync")
        hub.end()
        self.assertNotIn("Traceback", hub.text)
        self.assertRaises(OSError, socket.create_connection, where, 1)

    def test_twistedTLS(self) -> None:
        """With --twisted-tls all works in Twisted's own way."""
        hub = self.start("--port", "0", "--twisted-tls")
        author = self.connect(hub, "AI_1", protocol=2)
        reader = self.connect(hub, "AI_2", protocol=2)
        author.next("training_sync")
        reader.next("training_sync")
        author.send("pattern_share", aPattern(data="x" * 300_000), id="m1")
        self.assertEqual(author.next("ack")["payload"]["acked"], [["m1", 1]])
        self.assertEqual(reader.next("pattern_share")["seq"], 1)

    def test_plaintextPeer(self) -> None:
        """Who speaks plaintext to the TLS port is cut, and nothing else happens."""
        hub = self.start()
        with socket.create_connection(("127.0.0.1", hub.port()), SECONDS) as plain:
            plain.sendall(b'{"ai_id": "AI_1", "token": "x"}\n')
            with contextlib.suppress(ConnectionError):
                while plain.recv(1000):
                    pass
        self.connect(hub, "AI_1", protocol=2).next("training_sync")
        hub.end()
        self.assertNotIn("Traceback", hub.text)

    def test_plaintext(self) -> None:
        """--insecure-plaintext listens on 127.0.0.1."""
        hub = self.start("--port", "0", "--insecure-plaintext")
        with socket.create_connection(("127.0.0.1", hub.port()), SECONDS) as plain:
            plain.sendall(b"nonsense\n")
            self.assertIn(b"not_json", plain.recv(1000))

    def test_slowReaderOverTLS(self) -> None:
        """A client that stops reading for megabytes gets all of them in order when it reads again."""
        hub = self.start()
        author = self.connect(hub, "AI_1", protocol=2)
        slow = self.connect(hub, "AI_2", protocol=2)
        slow.next("training_sync")
        author.next("training_sync")
        acked = 0
        for i in range(250):
            author.send("pattern_share", aPattern(f"p{i}", data="x" * (60_000 if i % 25 else 100_000)), id=f"m{i}")
            while acked < i - 10:
                acked += len(author.next("ack")["payload"]["acked"])
        self.assertEqual([slow.next("pattern_share")["message_id"] for _ in range(250)], [f"m{i}" for i in range(250)])

    def test_refusals(self) -> None:
        """What prevents a start is said in one line, with exit code 1 and no traceback."""
        running = self.start()
        port = str(running.port())

        def refused(words: str, *arguments: str) -> None:
            hub = self.start(*arguments)
            self.assertEqual(hub.wait(), 1, hub.text)
            self.assertIn(words, hub.text)
            self.assertNotIn("Traceback", hub.text)

        refused("a hub is running already in ", "--port", "0")
        other = str(self.folder / "other")
        refused("Address already in use", "--port", port, "--state", other)
        refused("must be 0700", "--state", str(self.folder / "open"), *self.make("open", 0o755, b""))
        refused("not a database", "--state", str(self.folder / "bad"), *self.make("bad", 0o700, b"x" * 5000))
        self.make("newer", 0o700)
        sqlite.prepare(self.folder / "newer" / "hub_data.db", {**sqlite.schemas(), 99: ""})
        refused("schema version 99", "--state", str(self.folder / "newer"), "--port", "0")
        refused("can't use the state directory", "--state", "/dev/null/x", "--port", "0")
        refused("ssl", "--state", other, "--port", "ssl:nonsense")

    def make(self, name: str, mode: int, data: bytes | None = None) -> tuple[str, str]:
        (self.folder / name).mkdir()
        (self.folder / name).chmod(mode)
        if data is not None:
            (self.folder / name / "hub_data.db").write_bytes(data)
        return "--port", "0"

    def test_files(self) -> None:
        """Pid file and control socket stand in the state directory, the socket for its user only."""
        hub = self.start()
        hub.port()
        self.assertEqual(sorted(os.listdir(self.folder)), ["state"])
        self.assertEqual(hub.state.controlSocket.stat().st_mode & 0o777, 0o600)
        self.assertEqual((hub.state.path / "hub.pid").read_text(), str(hub.process.pid))


class FrozenServerTests(ProcessTestCase):
    def test_end(self) -> None:
        """
        A hub whose database server hangs ends in seconds; what it could not commit it has not acknowledged.  What is
        too large for a line it keeps there, too.
        """
        url = server().database()
        hub = self.start("--port", "0", "--dashboard", "off", "--database", url)
        client = self.connect(hub, "AI_1", protocol=2)
        client.next("training_sync")
        client.send("pattern_share", aPattern())
        client.next("ack")
        for step, fields in (
            ("begin", {"size": 4, "trace_digest": "cd" * 32}),
            ("part", {"data": base64.b64encode(b"blob").decode()}),
            ("end", {}),
            ("get", {}),
        ):
            client.send("payload", {"step": step, "digest": hashlib.sha256(b"blob").hexdigest(), **fields})
            answer = client.next("payload")["payload"]
        self.assertEqual(base64.b64decode(answer["data"]), b"blob")
        with server().frozen():
            client.send("payload", {"step": "find", "trace_digest": "cd" * 32})
            client.send("pattern_share", aPattern(), id="never")
            time.sleep(0.5)
            began = time.monotonic()
            self.assertEqual(hub.end(), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 12)  # 6 on a machine with time
        self.assertEqual(client.next("ack", "error")["payload"].get("code"), "shutting_down")
        self.assertIn("hub stopped", hub.text)
        self.assertNotIn("Traceback", hub.text)


class TakenAwayTests(ProcessTestCase):
    """Somebody takes away what a running hub keeps everything in."""

    def ends(self, take: Callable[[Process], object], what: str) -> None:
        hub = self.start()
        client = self.connect(hub, "AI_1", protocol=2)
        client.next("training_sync")
        client.send("pattern_share", aPattern())
        client.next("ack")
        take(hub)
        began = time.monotonic()
        client.send("pattern_share", aPattern("late"), id="late")
        answers = []
        while (message := client.read()) is not None:
            answers.append(message)
        self.assertEqual(hub.wait(), 1, hub.text)
        self.assertLess(time.monotonic() - began, 5)
        self.assertNotIn("ack", [message["message_type"] for message in answers])
        self.assertEqual(answers[-1]["payload"]["code"], "shutting_down")
        self.assertNotIn("Traceback", hub.text)
        self.assertNotIn("Error", hub.text)
        (line,) = [line for line in hub.text.splitlines() if "kernelhub: " in line]
        self.assertIn(f"#critical] kernelhub: {hub.state.path}{what} was removed, moved or replaced", line)
        with self.assertRaisesRegex(NoHub, "no hub is running"):
            call(hub.state, {"command": "status"})

    def test_removed(self) -> None:
        """The directory is removed: nothing is acked any more, and within seconds the hub ends with one line."""
        self.ends(lambda hub: rmtree(hub.state.path), "")

    def test_moved(self) -> None:
        """It is moved: the same, and what was acked is there when it is moved back."""
        self.ends(lambda hub: hub.state.path.rename(self.folder / "elsewhere"), "")
        (self.folder / "elsewhere").rename(self.folder / "state")
        hub = self.start()
        reader = self.connect(hub, "AI_2", protocol=2)
        told = reader.next("training_sync")["payload"]["global_knowledge_base"]["patterns"]
        self.assertEqual([pattern["id"] for pattern in told], ["p1"])

    def test_database(self) -> None:
        """The same if only the database is taken away."""
        self.ends(lambda hub: (hub.state.path / "hub_data.db").unlink(), "/hub_data.db")

    def test_walOfDatabase(self) -> None:
        """The same if it is what SQLite keeps beside it: what was committed last stands in that."""
        self.ends(lambda hub: (hub.state.path / "hub_data.db-wal").unlink(), "/hub_data.db-wal")


class KillTests(ProcessTestCase):
    def test_kill9(self) -> None:
        """A hub killed in mid-stream, again and again: each acked message is there once and in order."""
        acked: list[str] = []
        seen: list[tuple[int, str]] = []
        logId: str | None = None
        sent = 0
        credentials: dict[str, str] = {}
        for round_ in range(4):
            hub = self.start()
            author = self.connect(hub, "AI_1", credentials.get("AI_1"), protocol=2)
            sync = author.next("training_sync")["payload"]
            credentials.setdefault("AI_1", sync.get("credential", ""))
            resume = {"log_id": logId, "resume_after": seen[-1][0] if seen else 0}
            reader = self.connect(hub, "AI_2", credentials.get("AI_2"), protocol=2, **(resume if logId else {}))
            sync = reader.next("training_sync")["payload"]
            credentials.setdefault("AI_2", sync.get("credential", ""))
            self.assertEqual(sync["resumed"], logId is not None)
            logId = sync["log_id"]
            killer = threading.Timer(0.2 + 0.15 * round_, hub.process.kill)
            killer.start()
            waiting: list[str] = []
            try:
                while True:
                    # A window of 50, from the first that was not acked: what was sent before a kill is sent again.
                    while len(waiting) < 50:
                        sent += 1
                        waiting.append(f"m{sent:06}")
                        author.send("pattern_share", aPattern(), id=waiting[-1])
                    acks = [id_ for id_, _ in author.next("ack")["payload"]["acked"]]
                    self.assertEqual(acks, waiting[: len(acks)])
                    acked += acks
                    del waiting[: len(acks)]
            except (AssertionError, ConnectionError, ssl.SSLError):
                pass
            sent -= len(waiting)
            while (message := reader.read()) is not None:
                if message["message_type"] == "pattern_share":
                    seen.append((message["seq"], message["message_id"]))
            killer.join()
            self.assertEqual(hub.end(), -signal.SIGKILL)
        self.assertGreater(len(acked), 200)
        # … and once more, to the end.
        hub = self.start()
        self.assertGreaterEqual(call_position(hub), len(acked))
        reader = self.connect(hub, "AI_2", credentials["AI_2"], protocol=2, log_id=logId, resume_after=seen[-1][0])
        while seen[-1][0] < call_position(hub):
            message = reader.next("pattern_share")
            seen.append((message["seq"], message["message_id"]))
        ids = [id_ for _, id_ in seen]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual([seq for seq, _ in seen], list(range(1, len(seen) + 1)))
        self.assertEqual(set(acked) - set(ids), set())


def call_position(hub: Process) -> int:
    hub.port()
    return int(call(hub.state, {"command": "status"})["log"]["position"])


class PeriodicTests(HubTestCase):
    def test_failing(self) -> None:
        """Periodic work that fails is logged, and done again the next time."""
        calls: list[float] = []

        def fails(now: float) -> None:
            calls.append(now)
            raise ValueError("mine")

        self.patch(self.hub.admission.messageRate, "forget", fails)
        self.hub.writer.error = ValueError("the engine's")
        commits = self.hub.writer.calls
        self.hub.clock.pump([composition.SWEEP_EVERY] * 3)
        self.assertEqual((len(calls), self.hub.writer.calls - commits), (3, 3))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.hub.writer.error = None


class HungServerTests(SynchronousTestCase):
    def test_cut(self) -> None:
        """When the link to the database finds that its server hangs, what keeps the payloads waits no longer either."""
        options = Options()
        url = server().database()
        options.parseOptions(["--state", self.mktemp(), "--port", "0", "--dashboard", "off", "--database", url])
        state = StateDirectory(options["state"])
        state.open()
        hub = service.HubService(Clock(), state, options.config)
        self.addCleanup(hub.stopService)
        payloads = hub._makePayloads(mock.Mock())
        assert payloads is not None
        with mock.patch("kernelnet.hub.storage.postgres.clusterAt") as clusterAt:
            hub._makeCluster(mock.Mock())
        assert isinstance(hub._blobs, PostgresBlobs)
        hub._blobs.notes()
        with server().frozen():
            waiting = threading.Thread(target=self.assertRaises, args=(psycopg.Error, hub._blobs.notes), daemon=True)
            waiting.start()
            waiting.join(0.1)
            self.assertTrue(waiting.is_alive())
            cut = clusterAt.call_args.args[-1]
            cut()
            waiting.join(10)
            self.assertFalse(waiting.is_alive())


class BoundsTests(SynchronousTestCase):
    """What a hub asks of its machine, and how long it waits; no process is begun."""

    def make(self, clock: Any, *more: str) -> service.HubService:
        options = Options()
        options.parseOptions(["--state", self.mktemp(), "--port", "0", "--dashboard", "off", *more])
        state = StateDirectory(options["state"])
        state.open()
        hub = service.HubService(clock, state, options.config)
        self.addCleanup(hub.stopService)
        return hub

    def test_backlog(self) -> None:
        """The system is asked to hold a thousand connections or so, no more than Linux does, for any kind of port."""
        for more in ((), ("--insecure-plaintext",), ("--twisted-tls",)):
            memory = MemoryReactorClock()
            hub = self.make(memory, *more)
            with mock.patch("socket.socket", side_effect=OSError("no IPv6 here")):
                self.successResultOf(hub._endpoint.listen(mock.Mock()))
            (backlog,) = [port[-2] for port in (*memory.tcpServers, *memory.sslServers)]
            self.assertGreaterEqual(backlog, 1000, more)
            self.assertLessEqual(backlog, SOMAXCONN, more)

    def test_looks(self) -> None:
        """Once a second a hub looks whether its files are still there."""
        clock, looks = Clock(), list[float]()
        self.patch(service.HubService, "_findLoss", lambda _: looks.append(clock.seconds()))
        self.patch(EventLog, "open", lambda _: Deferred())
        self.make(clock).startService()
        clock.pump([0.5] * 6)
        self.assertEqual(looks, [0, 1, 2, 3])

    def test_lastPart(self) -> None:
        """A hub that ends waits for a step with a blob a second or so, and then no longer."""
        waited = list[float]()
        self.patch(service, "Thread", lambda **_: mock.Mock(join=waited.append))
        hub = self.make(Clock())
        hub._blobThread, hub._blobs = mock.Mock(), mock.Mock()
        self.successResultOf(hub.stopService())
        (seconds,) = waited
        self.assertGreaterEqual(seconds, 0.5)
        self.assertLessEqual(seconds, 2)


class EarlyStopTests(TestCase):
    async def test_whileOpening(self) -> None:
        """A hub that is stopped while it still opens its database ends in order: that is no failure to start."""
        failed: list[str] = []
        self.patch(service, "endWithFailure", lambda reactor, text: failed.append(text))
        options = Options()
        options.parseOptions(["--state", self.mktemp(), "--port", "0", "--dashboard", "off"])
        state = StateDirectory(options["state"])
        state.open()
        hub = service.HubService(reactor, state, options.config)
        await deferLater(reactor, 0)  # from now on it runs
        hub.startService()
        await hub.stopService()
        await deferLater(reactor, 0.01)
        self.assertEqual((failed, self.flushLoggedErrors()), ([], []))
