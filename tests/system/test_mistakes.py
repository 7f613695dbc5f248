"""A user's mistakes: each gets one clear line and an exit code other than 0, and never a traceback."""

import contextlib
import datetime
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

from kernelnet.identity import StateDirectory
from tests.system.support import SystemTestCase, Twistd, steadyPort


class MistakeTests(SystemTestCase):
    def refused(self, process: Twistd, words: str) -> None:
        """C{process} ends with an exit code other than 0, and one of its lines says C{words}."""
        code = process.end()
        output = "\n".join(process.lines)
        said = [line for line in process.lines if words in line]
        self.assertNotEqual(code, 0, output)
        self.assertEqual(len(said), 1, output)
        self.assertNotIn("Traceback", output)

    def test_badId(self) -> None:
        """An id with forbidden characters."""
        self.port = 1
        self.refused(self.trainer("../x"), "bad ai_id '../x'")

    def test_noId(self) -> None:
        """No id at all."""
        self.refused(self.twistd("kerneltrainer"), "--id is missing")

    def test_unknownSpecialization(self) -> None:
        """A specialization that does not exist: the line names those that do."""
        self.port = 1
        self.refused(self.trainer("AI_1", "--specialization", "cooking"), "process_manager")

    def test_unknownGenerator(self) -> None:
        """A generator that is not installed: the line names those that are."""
        self.port = 1
        self.refused(self.trainer("AI_1", "--generator", "magic"), "unknown generator 'magic'; there are: ")

    def test_unknownWorkbench(self) -> None:
        """A workbench that is not installed: the line names those that are."""
        self.port = 1
        trainer = self.trainer("AI_1", "--workbench", "coffee")
        self.refused(trainer, "unknown workbench 'coffee'; there are: audio, file_system")

    def test_dashboard(self) -> None:
        """A dashboard for strangers without TLS, or nowhere: one line each."""
        state = ("--state", str(self.state.path))
        for words, arguments in (
            ("takes a port, ADDRESS:PORT or off", ("--dashboard", "here")),
            ("others can reach this address", ("--dashboard", "0.0.0.0:1", "--insecure-plaintext")),
            ("text or json", ("--log-format", "xml")),
        ):
            self.refused(self.twistd("kernelhub", "--port", "0", *state, *arguments), words)

    def test_badAddress(self) -> None:
        """An address without a port."""
        self.refused(self.twistd("kerneltrainer", "--id", "AI_1", "--hub", "localhost"), "it must be host:port")

    def test_missingTrace(self) -> None:
        """A trace file that is not there."""
        self.port = 1
        self.refused(self.trainer("AI_1", "--trace", "no-such-file"), "no-such-file")

    def test_malformedTrace(self) -> None:
        """A trace that is none: the line names file and place."""
        self.startHub()
        trace = self.folder / "bad.txt"
        trace.write_text("1\n2\nthree\n")
        self.refused(self.trainer("AI_1", "--trace", str(trace)), "bad.txt:3")

    def test_wrongToken(self) -> None:
        """A token that the hub does not know."""
        self.startHub()
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text("wrong\n")
        self.refused(self.resting("AI_1", "--token-file", str(token)), "refused our credentials")

    def test_openToken(self) -> None:
        """A token file that others can read."""
        self.startHub()
        token = self.folder / "token"
        token.write_text("wrong\n")
        token.chmod(0o644)
        self.refused(self.trainer("AI_1", "--token-file", str(token)), "chmod 600")

    def test_unknownCA(self) -> None:
        """A hub whose certificate another CA signed."""
        self.startHub()
        other = StateDirectory(self.folder / "other")
        other.open()
        other.prepareHub([], datetime.datetime.now(datetime.UTC))
        self.refused(self.resting("AI_1", "--ca", str(other.caCertificate)), "not trusted: its certificate is not from")

    def test_wrongHostName(self) -> None:
        """A hub whose certificate is for other names."""
        self.startHub()
        where = ("--hub", f"127.0.0.2:{self.port}", "--state", str(self.state.path))
        self.refused(self.twistd("kerneltrainer", "--id", "AI_1", *where), "certificate is for another name")

    def test_portInUse(self) -> None:
        """A port that another program has."""
        with socket.create_server(("0.0.0.0", 0)) as taken:
            port = str(taken.getsockname()[1])
            self.refused(self.twistd("kernelhub", "--port", port, "--state", str(self.state.path)), port)

    def test_secondHub(self) -> None:
        """A second hub with the same state directory."""
        hub = self.startHub()
        where = ("kernelhub", "--port", "0", "--state", str(self.state.path))
        said = f"a hub is running already in {self.state.path} (pid {hub.process.pid})"
        self.refused(self.twistd(*where), said)

    def test_openState(self) -> None:
        """A state directory that others can read."""
        self.startHub().stop()
        self.state.path.chmod(0o755)
        self.refused(self.twistd("kernelhub", "--port", "0", "--state", str(self.state.path)), "chmod 700")

    def test_foreignFolder(self) -> None:
        """A folder of something else is not taken over, and nobody is told to change it; an empty one is fine."""
        self.state.path.mkdir()
        self.state.path.chmod(0o755)  # whatever the umask
        (self.state.path / "mine").touch()
        where = ("kernelhub", "--port", "0", "--state", str(self.state.path))
        self.refused(self.twistd(*where), "give a new or an empty one")
        (self.state.path / "mine").unlink()
        self.startHub()
        self.assertEqual(self.state.path.stat().st_mode & 0o777, 0o700)

    def test_stalePid(self) -> None:
        """After a kill -9 the pid file may name any process: hub and trainer start all the same."""
        hub = self.startHub()
        trainer = self.resting("AI_1")
        trainer.waitFor("Enrolled as AI_1")
        for process in (trainer, hub):
            process.kill()
        for path in (self.state.path / "hub.pid", self.state.trainer("AI_1") / "trainer.pid"):
            path.write_text(str(os.getpid()))
        self.startHub(self.port)
        self.resting("AI_1").waitFor("Connected to the hub")

    def test_daemon(self) -> None:
        """A daemon that can't have its port says so where it was started."""
        with socket.create_server(("0.0.0.0", 0)) as taken:
            port = str(taken.getsockname()[1])
            twistd = str(Path(sys.executable).with_name("twistd"))
            command = [twistd, "kernelhub", "--port", port, "--state", str(self.state.path)]
            found = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual((found.returncode, len(found.stderr.splitlines())), (1, 1), found.stderr)
        self.assertIn(port, found.stderr)

    def test_noFolder(self) -> None:
        """A state directory in which the trainer can't have its folder."""
        self.state.open()
        (self.state.path / "trainers").touch()
        self.port = 1
        self.refused(self.trainer("AI_1"), "trainers")

    def test_sameTrainerTwice(self) -> None:
        """Two processes of one trainer, on one machine."""
        self.startHub()
        first = self.resting("AI_1")
        first.waitFor("Enrolled as AI_1")
        self.refused(self.resting("AI_1"), f"a trainer AI_1 is running already in {self.state.path} (pid ")

    def test_noHub(self) -> None:
        """A trainer whose time is over before it has reached any hub: that is no success."""
        self.startHub().stop()
        trace = self.folder / "small.txt"
        trace.write_text("".join(f"{n * n % 70}\n" for n in range(300)))
        trainer = self.trainer("AI_1", "--trace", str(trace), "--minutes", "0.001")
        self.refused(trainer, f"its time is over, and it has reached no hub at localhost:{self.port}")

    def test_takenOver(self) -> None:
        """A trainer whose id connects from elsewhere ends and says so."""
        self.startHub()
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(self.issueToken("AI_1"))
        first = self.resting("AI_1", "--token-file", str(token))
        first.waitFor("Connected to the hub")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        shutil.copy(self.state.caCertificate, elsewhere / "ca.pem")
        where = ("--hub", f"localhost:{self.port}", "--state", str(elsewhere), "--token-file", str(token))
        second = self.twistd("kerneltrainer", "--id", "AI_1", *where)
        second.waitFor("Connected to the hub")
        self.refused(first, "another process connected as AI_1")


class NoHubTests(SystemTestCase):
    """A trainer that is pointed at what is no hub."""

    def test_says(self) -> None:
        """Whether it answers in HTTP or not at all, that is said in one clear line within 2 s; it can be stopped."""
        self.startHub().stop()
        for answer in (b"HTTP/1.0 400 Bad Request\r\n\r\n", None):
            with socket.create_server(("127.0.0.1", 0)) as server:
                threading.Thread(target=self.answers, args=(server, answer), daemon=True).start()
                self.port = server.getsockname()[1]
                trainer = self.trainer("AI_1")
                trainer.waitFor("starting up")
                began = time.monotonic()
                line = trainer.waitFor(f"localhost:{self.port}")
                self.assertLess(time.monotonic() - began, 2)
                self.assertIn("is it a hub that answers there, over TLS? Its default port is 6000", line)
                trainer.waitFor("trains on")
                time.sleep(1)  # it learns and searches
                began = time.monotonic()
                self.assertEqual(trainer.stop(), -signal.SIGTERM)
                self.assertLess(time.monotonic() - began, 2.5)  # and some for this machine

    def answers(self, server: socket.socket, answer: bytes | None) -> None:
        """Say C{answer} to whoever comes, and end; C{None}: say nothing."""
        connections = []
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                connections.append(connection)
                if answer is not None:
                    connection.recv(10_000)
                    connection.sendall(answer)
                    connection.close()

    def test_takenAway(self) -> None:
        """A trainer whose folder is removed or moved ends with one line, and no traceback about its pid file."""
        for take in (shutil.rmtree, lambda folder: folder.rename(self.folder / "elsewhere")):
            self.startHub().stop()
            trainer = self.resting("AI_1")
            trainer.waitFor("trains on")
            take(self.state.path)
            self.assertEqual(trainer.end(), 1)
            output = "\n".join(trainer.lines)
            self.assertNotIn("Traceback", output)
            self.assertRegex(output, "#critical. kerneltrainer: .*was removed, moved or replaced while the trainer ran")


class FirstRunTests(SystemTestCase):
    def test_noConfiguration(self) -> None:
        """A hub and a trainer started in one folder by one user find each other without any option."""
        port = str(steadyPort())
        with mock.patch.dict(os.environ, {"XDG_DATA_HOME": str(self.folder)}):
            hub = self.twistd("kernelhub", "--port", port)
            hub.waitFor("[Ll]istening on")
            trainer = self.twistd("kerneltrainer", "--id", "AI_1", "--hub", f"localhost:{port}")
            trainer.waitFor("Enrolled as AI_1")
            # twistd ends in good order, and then by the signal that it got
            self.assertEqual(trainer.stop(), -signal.SIGTERM)
            self.assertIn("closed cleanly", hub.waitFor("AI_1 left: "))
            trainer = self.twistd("kerneltrainer", "--id", "AI_1", "--hub", f"localhost:{port}")
            trainer.waitFor("Connected to the hub")
            self.assertEqual(hub.stop(), -signal.SIGTERM)
            self.assertIn("closed cleanly", hub.waitFor("AI_1 left: ", 2))
            trainer.waitFor("Lost the hub at")
            self.assertEqual(trainer.stop(), -signal.SIGTERM)
        for process in (hub, trainer):
            self.assertNotIn("non-clean", "\n".join(process.lines))
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_trainerFirst(self) -> None:
        """A trainer that is started before the hub has ever run waits, and connects when it has."""
        self.port = steadyPort()
        trainer = self.resting("AI_1")
        trainer.waitFor("waiting for a hub's first start")
        self.startHub(self.port)
        trainer.waitFor("Enrolled as AI_1")
