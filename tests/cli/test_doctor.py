"""What `kernelnet doctor` finds, and what it advises."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import socket
import time
from typing import Any
from unittest import mock

from kernelnet.cli import doctor
from kernelnet.cli.progress import Tell
from kernelnet.hub.admin import control_client
from kernelnet.hub.auth import certificates
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.blobs.files import FOLDER, FileBlobs
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.identity import StateDirectory
from kernelnet.workbench import compiler, sandbox
from kernelnet.workbench.errors import CompileError, WorkbenchError
from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase


class DoctorTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)

    def found(self, code: int = 0) -> dict[str, dict[str, Any]]:
        result = self.call("doctor", "--state", self.path, "--json")
        self.assertEqual(result.exit_code, code, result.output)
        told = json.loads(result.stdout)
        self.assertEqual(told["sound"], code == 0)
        for finding in told["checks"]:
            self.assertTrue(finding["state"] == "good" or finding["advice"], finding)
        return {finding["check"]: finding for finding in told["checks"]}

    def test_sound(self) -> None:
        """On a machine that has all that is needed every check is good, but for a hub that doesn't run."""
        found = self.found()
        notes = {check for check, finding in found.items() if finding["state"] != "good"}
        self.assertEqual(notes - {"jail", "disk", "certificate", "ports"}, {"hub"})
        self.assertIn("twistd kernelhub", found["hub"]["advice"])
        self.assertIn("is sound: 0 messages", found["database"]["text"])

    def test_clock(self) -> None:
        """A clock that is behind the hub's own files is bad."""
        os.utime(self.path / "hub_data.db", (time.time() + 7200,) * 2)
        found = self.found(1)["clock"]
        self.assertEqual(found["state"], "bad")
        self.assertIn("timedatectl", found["advice"])

    def test_ports(self) -> None:
        """A port that another program has: which, how to find that one, and what a hub can do."""
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port, other = taken.getsockname()[1], free.getsockname()[1]
            free.close()
            self.patch(doctor, "PORT", port)
            self.patch(doctor, "DEFAULT_PORT", other)
            found = self.found()["ports"]
            self.assertEqual(
                (found["state"], found["text"]), ("note", f"another program has port {port}, a hub's default")
            )
            self.assertIn("--port", found["advice"])
            self.patch(doctor, "PORT", other)
            self.patch(doctor, "DEFAULT_PORT", port)
            self.assertIn("--dashboard", self.found()["ports"]["advice"])
        self.assertEqual(self.found()["ports"]["state"], "good")

    def test_broken(self) -> None:
        """Compiler, jail, sandbox, limits and database, each broken: what does not work, and what to do about it."""

        def lacks(*arguments: object, **more: object) -> None:
            raise CompileError("the C compiler is missing; pip install 'kernelnet[trainer]' brings it")

        def lacksSandbox(*arguments: object, **more: object) -> None:
            raise WorkbenchError("the sandbox is missing")

        for module, name, broken, check, words in (
            (compiler, "compileC", lacks, "compiler", "pip install 'kernelnet[trainer]'"),
            (compiler, "canJail", lambda: False, "jail", "Linux 5.13"),
            (sandbox, "loadModule", lacksSandbox, "sandbox", "trainers and `kernelnet bench` need it"),
            (resource, "getrlimit", lambda which: (1024, 1024), "limits", "ulimit -Hn"),
        ):
            with mock.patch.object(module, name, broken):
                found = self.found()[check]
            self.assertEqual(found["state"], "note")
            self.assertIn(words, found["advice"])
        self.hub.stop()
        (self.path / "hub_data.db").write_bytes(b"x" * 5000)
        found = self.found(1)["database"]
        self.assertEqual(found["state"], "bad")
        self.assertIn("kernelnet restore FILE", found["advice"])

    def test_disk(self) -> None:
        """Little room is worth a note, and what happens when there is none; none is bad."""
        for free, state, code, words in (
            (600 << 20, "note", 0, "600 MiB are free"),
            (5 << 20, "bad", 1, "less than --min-free 47 MiB: its hub takes no messages"),
            (1 << 40, "good", 0, "1024 GiB are free"),
        ):
            self.patch(disk_space, "freeBytes", lambda path, free=free: free)
            found = self.found(code)["disk"]
            self.assertEqual(found["state"], state)
            self.assertIn(words, found["text"])

    def test_minFree(self) -> None:
        """Of a hub that runs it is its own limit that decides: there is no room on a disk where it refuses messages."""
        self.patch(disk_space, "freeBytes", lambda path: 30 << 30)
        for least, state in ((1 << 30, "good"), (20 << 30, "note"), (40 << 30, "bad")):
            status = {"port": 6000, "ais": {}, "log": {"min_free": least}}
            self.patch(control_client, "call", lambda where, request, status=status: status)
            (found,) = doctor._disk(StateDirectory(self.path), lambda what, done, total: None)
            self.assertEqual(found.state, state)
        self.assertIn("30 GiB are free", found.text)
        self.assertIn("--min-free 40 GiB", found.text)

    def test_certificate(self) -> None:
        """A certificate that has ended is bad, one that ends soon a note; both say how to renew it."""
        for days, state, code in ((-1, "bad", 1), (5, "note", 0), (300, "good", 0)):
            shown = {
                "days_left": days,
                "names": ["localhost"],
                "expires": "2026-11-28T10:00:00Z",
                "source": certificates.OWN_CA,
            }
            self.patch(certificates, "offlineShow", lambda path, now, shown=shown: shown)
            found = self.found(code)["certificate"]
            self.assertEqual(found["state"], state)
            self.assertEqual("expired on 2026-11-28" in found["text"], days < 0)
            if state != "good":
                self.assertIn("kernelnet certs renew", found["advice"])

    def test_ownPKI(self) -> None:
        """Of the operator's own certificate a hub that runs is asked; while none does, nothing is said of another."""
        state = StateDirectory(self.path)
        tell: Tell = lambda what, done, total: None  # noqa: E731
        state.ownRoot.write_text("")
        (found,) = doctor._certificate(state, tell)
        self.assertEqual((found.state, found.advice), ("note", "start the hub, and run kernelnet doctor again"))
        shown = {"days_left": 3, "names": ["hub.example"], "expires": "2026-11-28T10:00:00Z", "source": "/pki/hub.pem"}
        self.patch(control_client, "call", lambda where, request: shown)
        (found,) = doctor._certificate(state, tell)
        self.assertEqual(found.text, "for hub.example, 3 days left")
        self.assertEqual(found.advice, "put a new one into /pki/hub.pem, then kernelnet certs renew")

    def test_blobs(self) -> None:
        """Blobs are counted; offers whose bytes are gone or spoiled are named, and taken back, while no hub runs."""
        store = FileBlobs(self.path / FOLDER)
        shelf = Shelf(store, BlobBounds(), lambda: 1e9, lambda: 10**12)
        digests = []
        for data in (b"first", b"second", b"third"):
            digests.append(hashlib.sha256(data).hexdigest())
            shelf.begin(digests[-1], "AI_1", None, len(data), "cd" * 32)
            shelf.write(digests[-1], "AI_1", 0, data)
            if data != b"third":
                shelf.end(digests[-1], "AI_1")
        found = self.found()["blobs"]
        self.assertEqual(found["text"], "2 of 11 bytes, all as their digests say, 1 not whole yet")
        (self.path / FOLDER / digests[0]).write_bytes(b"forst")
        found = self.found(1)["blobs"]
        self.assertIn(
            f"1 of 2 are offered, and their bytes are gone or spoiled: {digests[0][:12]} of AI_1", found["text"]
        )
        self.assertIn("--mend", found["advice"])
        lock = StateDirectory(self.path).lock(control_client.LOCK)
        self.assertIn("a hub runs", self.call("doctor", "--mend", "--state", self.path).stdout)
        StateDirectory.unlock(lock)
        self.assertEqual(set(store.notes()), set(digests[:2]))
        self.assertIn("offers of 1 were taken back", self.call("doctor", "--mend", "--state", self.path).stdout)
        self.assertEqual(self.found()["blobs"]["text"], "1 of 6 bytes, all as their digests say, 1 not whole yet")

    def test_nowhere(self) -> None:
        """Where no hub was yet, the machine is checked all the same, and nothing is made."""
        nowhere = self.folder / "nowhere"
        self.assertIn("no hub has ever run", self.succeed("doctor", "--state", nowhere))
        self.assertFalse(nowhere.exists())
