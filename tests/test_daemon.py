"""How the services place their files and how they fail: `kernelnet.daemon`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactor
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import daemon
from kernelnet.hub.connection.protocol import TURN
from kernelnet.identity import StateDirectory


class TwistdOptions(usage.Options):
    """What of twistd's own options matters here."""

    optParameters = [["pidfile", None, "twistd.pid", ""], ["logfile", "l", None, ""]]
    optFlags = [["nodaemon", "n", ""]]


class RefuseTests(SynchronousTestCase):
    def test_refuse(self) -> None:
        """A refusal is one line that names the service, for stderr, and so exit code 1."""
        refusal = self.assertRaises(SystemExit, daemon.refuse, "kernelhub", ValueError("port 6000 is taken"))
        self.assertEqual(refusal.code, "twistd kernelhub: port 6000 is taken")


class SecondTests(SynchronousTestCase):
    def test_second(self) -> None:
        """Who would be the second hears the number of the first, as far as its pid file tells; a stale one goes."""
        state = StateDirectory(Path(self.mktemp()))
        state.open()
        pidFile = state.path / "hub.pid"

        def refusal() -> Any:
            return self.assertRaises(
                SystemExit, daemon.refuseSecond, "kernelhub", "a hub", state, "hub.lock", pidFile
            ).code

        lock = state.lock("hub.lock")
        self.assertIn("another process is using", refusal())
        pidFile.write_text(str(os.getpid()))
        said = f"twistd kernelhub: a hub is running already in {state.path} (pid {os.getpid()})"
        self.assertEqual(refusal(), said)
        for stale in ("99999999", "no number", "9" * 30):
            pidFile.write_text(stale)
            self.assertIn("another process is using", refusal())
        state.unlock(lock)
        daemon.refuseSecond("kernelhub", "a hub", state, "hub.lock", pidFile)
        self.assertFalse(pidFile.exists())


class SupervisorTests(SynchronousTestCase):
    def test_told(self) -> None:
        """A supervisor that asked for it is told; without one, or with one that has gone, nothing happens."""
        self.patch(os, "environ", {})
        daemon.tellSupervisor("READY=1")
        folder = tempfile.mkdtemp(prefix="kernelnet-")
        self.addCleanup(shutil.rmtree, folder)
        path = f"{folder}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(path)
            self.patch(os, "environ", {"NOTIFY_SOCKET": path})
            daemon.tellSupervisor("READY=1")
            supervisor.settimeout(10)
            self.assertEqual(supervisor.recv(100), b"READY=1")
        daemon.tellSupervisor("STOPPING=1")

    def test_abstract(self) -> None:
        """A name that begins with @ is one of Linux's abstract sockets."""
        name = f"kernelnet-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(f"\0{name}")
            self.patch(os, "environ", {"NOTIFY_SOCKET": f"@{name}"})
            daemon.tellSupervisor("READY=1")
            supervisor.settimeout(10)
            self.assertEqual(supervisor.recv(100), b"READY=1")


class PlaceFilesTests(SynchronousTestCase):
    folder = Path("/state")

    def placed(self, *arguments: str) -> tuple[str, str | None]:
        """Where pid and log file of a twistd with these arguments go."""
        parent = TwistdOptions()
        parent.parseOptions(arguments)
        options = usage.Options()
        options.parent = parent
        daemon.placeFiles(options, self.folder, "hub")
        return parent["pidfile"], parent["logfile"]

    def test_daemon(self) -> None:
        """A daemon's pid and log file go to the folder, under the service's name."""
        self.assertEqual(self.placed(), ("/state/hub.pid", "/state/hub.log"))

    def test_foreground(self) -> None:
        """In the foreground the log stays on the terminal; the pid file still goes to the folder."""
        self.assertEqual(self.placed("-n"), ("/state/hub.pid", None))

    def test_chosen(self) -> None:
        """What the user chose stays."""
        self.assertEqual(self.placed("--pidfile", "/run/k.pid", "--logfile", "k.log"), ("/run/k.pid", "k.log"))
        self.assertEqual(self.placed("--pidfile", "")[0], "")

    def test_withoutTwistd(self) -> None:
        """Options that no twistd parsed are left alone."""
        options = usage.Options()
        daemon.placeFiles(options, self.folder, "hub")
        self.assertEqual(options, {})


class TakeTurnsTests(SynchronousTestCase):
    def test_interval(self) -> None:
        """A thread waits for another less than a client's turn."""
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        daemon.takeTurns()
        self.assertLess(sys.getswitchinterval(), TURN)


class EndWithFailureTests(SynchronousTestCase):
    """Each in a process of its own, since it ends it."""

    def ended(self, body: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys\n"
            "from twisted.internet import reactor\n"
            "from twisted.logger import globalLogBeginner, textFileLogObserver\n"
            "from kernelnet.daemon import endWithFailure\n"
            "globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)\n"
            f"{body}\n"
            "reactor.run()\n"
            "print('the reactor has stopped')\n"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def check(self, ran: subprocess.CompletedProcess[str], reason: str) -> None:
        self.assertEqual((ran.returncode, ran.stderr), (1, ""), ran.stdout)
        self.assertEqual(len([x for x in ran.stdout.splitlines() if reason in x]), 1, ran.stdout)
        self.assertNotIn("Traceback", ran.stdout)
        self.assertIn("the reactor has stopped", ran.stdout)

    def test_running(self) -> None:
        """A running reactor stops in good order, and the process ends with exit code 1 after one line."""
        self.check(
            self.ended(
                "reactor.addSystemEventTrigger('before', 'shutdown', print, 'shut down')\n"
                "reactor.callWhenRunning(endWithFailure, reactor, ValueError('the disk is {gone}'))"
            ),
            "the disk is {gone}",
        )

    def test_shutdownTriggers(self) -> None:
        """What is to be done at shutdown is done."""
        ran = self.ended(
            "reactor.addSystemEventTrigger('before', 'shutdown', print, 'shut down')\n"
            "reactor.callWhenRunning(endWithFailure, reactor, 'no')"
        )
        self.assertIn("shut down\n", ran.stdout)

    def test_beforeRunning(self) -> None:
        """A failure before the reactor runs ends it as soon as it does."""
        self.check(self.ended("endWithFailure(reactor, 'port in use')"), "port in use")

    def test_twice(self) -> None:
        """A second failure while the reactor is stopping changes nothing."""
        ran = self.ended(
            "reactor.addSystemEventTrigger('before', 'shutdown', endWithFailure, reactor, 'second')\n"
            "def both():\n"
            "    endWithFailure(reactor, 'first')\n"
            "    endWithFailure(reactor, 'also first')\n"
            "reactor.callWhenRunning(both)"
        )
        self.check(ran, "also first")
        self.check(ran, "second")

    def test_twistd(self) -> None:
        """Without it a stopped reactor means exit code 0, which is why it is there."""
        ran = self.ended("reactor.callWhenRunning(reactor.stop)")
        self.assertEqual(ran.returncode, 0, ran.stderr)


class EndTests(SynchronousTestCase):
    def test_lostPidFile(self) -> None:
        """twistd is told of no pid file that is not there any more, which it would log a traceback about."""
        there = Path(self.mktemp())
        there.touch()
        for pidFile, kept in ((there, str(there)), (there.with_name("gone"), "")):
            options, parent, reactor = usage.Options(), TwistdOptions(), MemoryReactor()
            options.parent = parent
            parent["pidfile"] = str(pidFile)
            daemon.forgetLostPidFile(options, reactor)
            ((forget, _, _),) = reactor.triggers["after"]["shutdown"]
            forget()
            self.assertEqual(parent["pidfile"], kept)

    def test_inTime(self) -> None:
        """A process ends in time, though a thread that Twisted waits for does not."""
        program = (
            "import time; from twisted.internet import reactor; from kernelnet.daemon import endInTime;"
            "endInTime(reactor, 0.2); reactor.callInThread(time.sleep, 30); reactor.callLater(0.1, reactor.stop);"
            "reactor.run()"
        )
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (129, b""))
        self.assertLess(time.monotonic() - began, 15)
