"""A trainer under a malicious hub and malicious peers: it stays small, is never shut out, and its log is clean."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kernelnet.identity import StateDirectory
from kernelnet.trainer.storage.spool import Spool
from kernelnet.wire import AUTHENTICATED_LINE
from tests.trainer.storage.test_spool import SEEN

from . import abuse
from .abuse import AbuseTestCase, Row, measured
from .malicious_hub import GREETING, MaliciousHub, Victim, hubLine
from .support import PATIENCE, RestingTrainer, SystemTestCase

MEGABYTES = 40 if abuse.FULL else 12
"""Size of each flood."""

GROWTH = 100.0
"""MB by which a trainer may be larger after a flood than before, and at its worst."""

DISK = 64.0
"""MB that its database may take, whatever came."""

WORDS = "\x1b[2J\x1b[31mend\n\u202egnp.exe"
DIGEST = "ab" * 32


def deep(size: int) -> list[Any]:
    """What takes 25 times its text, of so many bytes of text."""
    return [{}] * (size // 4)


def flood(make: Callable[[int], bytes], megabytes: float = MEGABYTES) -> Iterator[bytes]:
    """Lines by their number, of so many megabytes together."""
    sent = number = 0
    while sent < megabytes * 1e6:
        line = make(number)
        number += 1
        sent += len(line)
        yield line


def component(number: int, **more: Any) -> dict[str, Any]:
    """One with a claim that nobody here can measure, each with another digest."""
    split = {"events": 1, "score": 1, "fuel": 1}
    report = {"workbench": "file_system", "workbench_digest": DIGEST, "trace": "t", "trace_digest": DIGEST}
    claim = {**report, "settings": {"n": number}, "engine": "e", "splits": {"validation": split, "held_out": split}}
    manifest = {"source_sha256": DIGEST, "wasm_sha256": DIGEST, "abi": "a", "workbench": "file_system", "report": claim}
    return {"id": f"c{number}", "manifest": {**manifest, **more}}


FLOODS: dict[str, Callable[[int], bytes]] = {
    # from one peer, and from peers under ever new names: 60 KB of text each, which are 1.5 MB as objects
    "deep reports": lambda i: hubLine(
        "performance_report", {"component_id": f"c{i}", "performance": {"x": deep(60_000)}}, "EVIL", i + 1
    ),
    "deep reports by ever new names": lambda i: hubLine(
        "performance_report", {"component_id": "c", "performance": {"x": deep(60_000)}}, f"EVIL_{i}", i + 1
    ),
    "deep patterns": lambda i: hubLine(
        "pattern_share", {"pattern": {"id": f"p{i}", "type": "t", "confidence": 1, "data": deep(60_000)}}, "EVIL", i + 1
    ),
    "deep building blocks": lambda i: hubLine(
        "code_share", {"code": {"id": f"p{i}", "data": deep(60_000)}}, "EVIL", i + 1
    ),
    "components of a hundred thousand numbers": lambda i: hubLine(
        "os_component_share", {"component": component(i, parameters=[0.5] * 50_000)}, "EVIL", i + 1
    ),
    # what each bound just lets through, under ever new names
    "reports as heavy as may be": lambda i: hubLine(
        "performance_report", {"component_id": f"c{i}", "performance": {"x": deep(3500)}}, f"EVIL_{i}", i + 1
    ),
    "patterns as heavy as may be": lambda i: hubLine(
        "pattern_share", {"pattern": {"id": f"p{i}", "type": "t", "confidence": 1, "data": deep(3500)}}, f"E{i}", i + 1
    ),
    "patterns of much text": lambda i: hubLine(
        "pattern_share", {"pattern": {"id": f"p{i}", "type": "t", "confidence": 1, "data": "x" * 200_000}}, "E", i + 1
    ),
    "building blocks as heavy as may be": lambda i: hubLine(
        "code_share", {"code": {"id": f"p{i}", "data": deep(3500)}}, f"EVIL_{i}", i + 1
    ),
    "components as large as may be": lambda i: hubLine(
        "os_component_share",
        {"component": {**component(i), "implementation": "\U0001f40c" + "x" * 300_000}},
        f"EVIL_{i}",
        i + 1,
    ),
    "small reports": lambda i: hubLine(
        "performance_report", {"component_id": f"c{i}", "performance": {}, "verdict": "confirmed"}, f"E{i}", i + 1
    ),
    "requests by ever new names": lambda i: hubLine(
        "feature_request",
        {
            "original_request": {"feature": "file_system", "requirements": {"x": deep(15_000)}},
            "requestor": f"EVIL_{i}",
        },
        f"EVIL_{i}",
        i + 1,
    ),
    "requests that are small": lambda i: hubLine(
        "feature_request",
        {"original_request": {"feature": "file_system"}, "requestor": f"EVIL_{i}"},
        f"EVIL_{i}",
        i + 1,
    ),
    "invitations": lambda i: hubLine(
        "collaboration_request",
        {
            "session_id": f"s{i}" + WORDS,
            "type": "cross_specialization",
            "description": "d",
            "initiator": f"EVIL_{i}",
            "partner_specialization": "process_manager",
            "requirements": {"x": deep(1500)},
        },
        f"EVIL_{i}",
        i + 1,
    ),
    "partners that nobody asked for": lambda i: hubLine(
        "collaboration_response",
        {"session_id": f"t{i}", "response": "accepted", "partner": "EVIL", "type": "cross_specialization"},
        "hub",
        i + 1,
    ),
    # the hub itself
    "ai_info of ever new AIs": lambda i: hubLine(
        "training_sync", {"ai_info": {f"AI_{i}_{n}": {"specialization": "security"} for n in range(10_000)}}
    ),
    "ai_info of many words": lambda i: hubLine(
        "training_sync",
        {"ai_info": {f"AI_{i}_{n}": {"specialization": "s", "capabilities": ["ab"] * 500} for n in range(200)}},
    ),
    "deep objects that are no message": lambda i: hubLine("heartbeat", {"seq": deep(900_000)}),
    "errors": lambda i: hubLine("error", {"code": WORDS, "message": WORDS * 20, "class": "closing"}),
    "refusals": lambda i: hubLine(
        "error", {"code": "busy", "message": WORDS * 20, "class": "permanent", "message_id": WORDS}
    ),
    "lines that are no message": lambda i: WORDS.replace("\n", "").encode() + b"\n",
    "acks of what was never said": lambda i: hubLine("ack", {"acked": [[f"m{i}{n}", n] for n in range(20_000)]}),
    "lines that are too long": lambda i: b"x" * (AUTHENTICATED_LINE + 1) + b"\n",
    "pings": lambda i: hubLine("heartbeat", {"nonce": "n" * 200, "seq": i}),
}


class MaliciousHubTests(SystemTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.evil = MaliciousHub(self.state)
        self.addCleanup(self.evil.close)

    def start(self, aiId: str = "AI_1") -> RestingTrainer:
        self.port = self.evil.port
        self.started = self.resting(aiId)
        return self.started

    def meet(self, greeting: bytes | None = None) -> Victim:
        victim = self.evil.accept(self.started)
        self.addCleanup(victim.close)
        victim.send([hubLine("training_sync", GREETING) if greeting is None else greeting])
        return victim

    @contextlib.contextmanager
    def row(self, trainer: RestingTrainer, name: str) -> Iterator[Row]:
        """One kind of abuse: the trainer lives, stays small in memory and on disk, and its log is clean."""
        with measured(f"trainer: {name}", trainer.process.pid) as row:
            yield row
        self.assertIsNone(trainer.process.poll(), "the trainer has ended:\n" + "\n".join(trainer.lines[-20:]))
        self.assertLess(row.peak - row.before, GROWTH, name)
        disk = sum(path.stat().st_size for path in self.state.trainer("AI_1").glob("trainer.db*")) / 1e6
        self.assertLess(disk, DISK, name)
        self.checkLog(trainer)
        row.answer = row.answer or f"goes on; {disk:.0f} MB on disk"
        row.passed = True

    def checkLog(self, trainer: RestingTrainer) -> None:
        """No word of a stranger does anything in it."""
        raw = [line for line in trainer.lines if not line.replace("\t", "").isprintable()]
        self.assertEqual(raw, [])
        self.assertEqual([line for line in trainer.lines if "Traceback" in line], [])

    def test_floods(self) -> None:
        """Each flood leaves the trainer alive, connected, small, with a short and clean log; so does its restart."""
        trainer = self.start()
        victim = self.meet()
        victim.answers()
        for name, make in FLOODS.items():
            lines = len(trainer.lines)
            with self.row(trainer, name):
                victim.send(flood(make, MEGABYTES if "small" not in name else MEGABYTES / 10))
                victim.answers()
                time.sleep(0.2)
            self.assertLess(len(trainer.lines) - lines, 400, name)
        victim.close()
        trainer.stop()
        self.checkLog(trainer)
        again = self.start()
        with self.row(again, "its restart after all of them"):
            victim = self.meet()
            victim.answers()

    def test_longGreeting(self) -> None:
        """An ai_info of 38 MB in the answer to the hello is skipped, each time anew, and the trainer is served."""
        trainer = self.start()
        with self.row(trainer, "a greeting of 38 MB"):
            many = {f"AI_{n}": {"specialization": "security", "capabilities": ["word"] * 60} for n in range(60_000)}
            greeting = hubLine("training_sync", {**GREETING, "ai_info": many})
            self.assertGreater(len(greeting), 30_000_000)
            for _ in range(2):
                victim = self.meet(greeting)
                # its patterns, which wait until it is greeted
                while victim.next()["message_type"] != "pattern_share":
                    pass
                victim.answers()
                victim.close()
        trainer.waitFor("the hub sent a line over 1048576 bytes, which is skipped", count=2)

    def test_deafHub(self) -> None:
        """A hub that asks for answers and reads none of them makes the trainer keep nothing for it."""
        trainer = self.start()
        victim = self.meet()
        victim.answers()
        victim.deafen()
        with self.row(trainer, "a hub that never reads"):
            victim.send(flood(lambda i: hubLine("heartbeat", {"nonce": "n" * 200}), MEGABYTES / 2))
            victim.send(flood(FLOODS["invitations"], MEGABYTES / 2))
            time.sleep(1.0)

    def test_whatIsKept(self) -> None:
        """Nothing that a hub says keeps the trainer from its next start, nor from an honest hub."""
        trainer = self.start()
        for more in ({"credential": "a\nb"}, {"log_id": "x" * 100_000}, {"seq": -5}, {"next": "c" * 100_000}):
            victim = self.meet(hubLine("training_sync", {**GREETING, **more}))
            victim.answers()
            victim.close()
        trainer.stop()
        self.checkLog(trainer)
        self.start()
        victim = self.meet()
        hello = victim.opening[1]["payload"]
        self.assertLessEqual(len(hello.get("log_id") or ""), 64)
        self.assertGreaterEqual(hello.get("resume_after") or 0, 0)
        victim.answers()

    def test_lastWords(self) -> None:
        """A hub that ends the trainer does so with one line, whatever it says."""
        for code in ("bad_credentials", "taken_over"):
            trainer = self.start()
            victim = self.meet()
            victim.send([hubLine("error", {"code": code, "message": WORDS, "class": "closing"})])
            self.assertEqual(trainer.end(), 1)
            self.checkLog(trainer)
            victim.close()


class MaliciousPeerTests(AbuseTestCase):
    """The same through a real hub, within all its limits: trainers that are enrolled there, and one that floods."""

    def messages(self) -> Iterable[tuple[str, dict[str, Any]]]:
        for i in range(int(MEGABYTES * 1e6 / 60_000)):
            yield "performance_report", {"component_id": f"c{i}", "performance": {"x": deep(60_000)}}
        for i in range(int(MEGABYTES * 1e6 / 240_000)):
            yield "pattern_share", {"pattern": {"id": f"p{i}", "type": "t", "confidence": 1, "data": deep(60_000)}}
            yield "code_share", {"code": {"id": f"b{i}", "data": deep(60_000)}}
        for i in range(3000):
            yield "performance_report", {"component_id": f"s{i}", "performance": {"x": deep(400)}}

    def test_deep(self) -> None:
        """What takes 1.5 MB as objects, hundreds of times: trainers stay small, and keep what an honest one said."""
        where = ("--hub", f"localhost:{self.port}", "--state", str(self.state.path))
        trainers = [RestingTrainer("--id", f"AI_{n}", *where, cwd=self.folder) for n in range(2)]
        for trainer in trainers:
            self.addCleanup(trainer.close)
            trainer.waitFor("Connected to the hub")
        honest = self.client("HONEST")
        honest.hello(protocol=2)
        honest.send("performance_report", {"component_id": "c", "performance": {"level": 0.5}})
        honest.receive("ack")
        honest.close()
        evil = self.client("EVIL")
        evil.hello(protocol=2)
        evil.send("os_component_share", {"component": component(0)})
        evil.receive("ack")
        for trainer in trainers:
            trainer.waitFor("Component c0 from EVIL")
        with contextlib.ExitStack() as stack:
            rows = [
                stack.enter_context(measured(f"trainer {n}: deep objects from a peer", trainer.process.pid))
                for n, trainer in enumerate(trainers)
            ]
            last = ""
            for kind, payload in self.messages():
                last = evil.send(kind, payload)
            # all is taken or refused; then what comes behind it has come to the trainers, too
            while last not in json.dumps(evil.next()["payload"]):
                pass
            evil.send("os_component_share", {"component": component(1)})
            for trainer in trainers:
                trainer.waitFor("Component c1 from EVIL")
        evil.close()
        for row, trainer in zip(rows, trainers, strict=True):
            self.assertIsNone(trainer.process.poll())
            self.assertLess(row.peak - row.before, GROWTH)
            row.answer, row.passed = "goes on", True
            trainer.stop()
        for n in range(len(trainers)):
            self.assertIn("HONEST", self.reporters(self.state.trainer(f"AI_{n}") / "trainer.db"))

    def reporters(self, path: Path) -> set[str]:
        """Whose reports a trainer keeps."""
        import sqlite3

        with contextlib.closing(sqlite3.connect(path)) as database:
            return {reporter for (reporter,) in database.execute("SELECT reporter FROM benchmarks")}


class ModesTests(SystemTestCase):
    def test_modes(self) -> None:
        """Whatever the umask, what trainers keep is their user's alone: in the foreground, and as daemons."""
        self.addCleanup(os.umask, os.umask(0))
        self.state = StateDirectory(self.folder / "new" / "state")
        self.startHub()
        trainer = self.resting("AI_1")
        trainer.waitFor("Connected to the hub")
        spool = Spool(self.state.trainer("AI_1") / "spool")
        spool.put(SEEN)
        spool.refuse(spool.put(SEEN), "a test")
        folder = self.startDaemon("AI_2")
        names = {"trainer.db", "trainer.db-wal", "lock", "credential", "signing.key", "progress.json"}
        for path in (folder, self.state.trainer("AI_1")):
            self.waitForFiles(path, names | ({"trainer.log", "trainer.pid"} if path is folder else {"spool"}))
        wrong = []
        for path in (self.state.path.parent, self.state.path, *self.state.path.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & 0o077 and not path.is_symlink():
                wrong.append(f"{path} {mode:04o}")
        self.assertEqual(wrong, [])

    def startDaemon(self, aiId: str) -> Path:
        """A resting trainer as a daemon, which is ended after the test.  @return: its folder."""
        where = ("--hub", f"localhost:{self.port}", "--state", str(self.state.path), "--id", aiId)
        starting = RestingTrainer(*where, cwd=self.folder, isDaemon=True)
        self.addCleanup(starting.close)
        folder = self.state.trainer(aiId)
        self.waitForFiles(folder, {"trainer.pid"})
        self.addCleanup(os.kill, int((folder / "trainer.pid").read_text()), signal.SIGTERM)
        return folder

    def waitForFiles(self, folder: Path, names: set[str]) -> None:
        until = time.monotonic() + PATIENCE
        while not names <= (there := {path.name for path in folder.iterdir()}):
            self.assertLess(time.monotonic(), until, f"{folder} holds {there}, and never {names - there}")
            time.sleep(0.05)
