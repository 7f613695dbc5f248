"""Real processes: C{twistd} as a user starts it, with its output read line by line, and a raw client over TLS."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory

from .tls_stream import TLSStream

PATIENCE = 60.0
"""Seconds after which what did not happen is taken not to happen; a slow machine needs many."""


def steadyPort() -> int:
    """
    A free port that stays free while its hub is dead.

    Not of those that the system gives to outgoing connections: one of them, or a client that connects again and again
    (to itself, in the end), would sit on it when the hub comes back.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Process:
    """A process; everything that it prints is in C{lines}."""

    def __init__(self, command: Sequence[str], cwd: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def waitFor(self, pattern: str, count: int = 1, patience: float = PATIENCE) -> str:
        """The C{count}-th line that matches; fails with all output when the process ends or it takes too long."""
        deadline = time.monotonic() + patience
        with self._news:
            while True:
                found = [line for line in self.lines if re.search(pattern, line)]
                if len(found) >= count:
                    return found[count - 1]
                if time.monotonic() > deadline or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"no line {count} like {pattern!r} in:\n" + "\n".join(self.lines))
                self._news.wait(1.0)

    def line(self, index: int) -> str:
        """The line at C{index}, once it is there."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while len(self.lines) <= index:
                if time.monotonic() > deadline or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"no line {index} in:\n" + "\n".join(self.lines))
                self._news.wait(1.0)
            return self.lines[index]

    def kill(self) -> None:
        """What a power failure looks like to the process."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it in good order.  @return: the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait until it has ended by itself.  @return: the exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("it does not end:\n" + "\n".join(self.lines)) from None
        self._reader.join()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Twistd(Process):
    """
    A C{twistd -n} process.

    @param wrapper: a command that runs it, such as C{strace}.
    @param plugins: a folder in which it looks for plugins, too.
    @param isDaemon: whether it goes on in the background, where it is no child of ours.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        wrapper: Sequence[str] = (),
        plugins: Path | None = None,
        isDaemon: bool = False,
    ) -> None:
        program = Path(sys.executable).with_name("twistd")
        if not program.exists():
            program = Path(shutil.which("twistd") or "twistd")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if plugins is not None:
            environment["PYTHONPATH"] = str(plugins)
        super().__init__(
            [*wrapper, str(program), *([] if isDaemon else ["-n"]), *arguments],
            cwd=cwd,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )


RESTING = """
import time

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IComponentGenerator


@implementer(IPlugin, IComponentGenerator)
class Resting:
    name = "resting"
    description = "waits until its time is over"
    workbenches = ()

    def generate(self, problem):
        while problem.secondsLeft() > 0:
            time.sleep(0.05)


resting = Resting()
"""
"""A generator that leaves the machine to others."""


def smallTrace(folder: Path) -> Path:
    """A trace that is read and measured in no time."""
    trace = folder / "small.txt"
    trace.write_text("".join(f"{number * number % 70}\n" for number in range(300)))
    return trace


class RestingTrainer(Twistd):
    """
    A real trainer, with a small trace and without a search: for what is not about training.

    A searching one takes all of the machine that it can get, and its first second to read traces.
    """

    def __init__(self, *arguments: str, cwd: Path, wrapper: Sequence[str] = (), isDaemon: bool = False) -> None:
        plugins = cwd / "resting"
        (plugins / "twisted" / "plugins").mkdir(parents=True, exist_ok=True)
        (plugins / "twisted" / "plugins" / "resting.py").write_text(RESTING)
        trace = smallTrace(plugins)
        rest = ("--generator", "resting", "--trace", str(trace))
        super().__init__(
            "kerneltrainer", *rest, *arguments, cwd=cwd, wrapper=wrapper, plugins=plugins, isDaemon=isDaemon
        )


class SystemTestCase(TestCase):
    """Has an empty state directory, and ends whatever it started."""

    def setUp(self) -> None:
        import tempfile

        folder = tempfile.TemporaryDirectory(prefix="kernelnet-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.state = StateDirectory(self.folder / "state")

    def twistd(self, *arguments: str) -> Twistd:
        process = Twistd(*arguments, cwd=self.folder)
        self.addCleanup(process.close)
        return process

    def startHub(self, port: int = 0) -> Twistd:
        hub = self.twistd("kernelhub", "--port", str(port), "--state", str(self.state.path))
        hub.waitFor("[Ll]istening on")
        self.port = int(control_client.call(self.state, {"command": "status"})["port"])
        return hub

    def trainer(self, aiId: str, *arguments: str) -> Twistd:
        where = ("--hub", f"localhost:{self.port}", "--state", str(self.state.path))
        return self.twistd("kerneltrainer", "--id", aiId, *where, *arguments)

    def resting(self, aiId: str, *arguments: str) -> RestingTrainer:
        """The same, for what is not about training."""
        where = ("--hub", f"localhost:{self.port}", "--state", str(self.state.path))
        trainer = RestingTrainer("--id", aiId, *where, *arguments, cwd=self.folder)
        self.addCleanup(trainer.close)
        return trainer

    def issueToken(self, aiId: str) -> str:
        token: str = control_client.call(self.state, {"command": "tokens issue", "ai_id": aiId})["token"]
        return token

    def client(self, aiId: str, token: str | None = None) -> RawClient:
        client = RawClient(self.state, self.port, aiId, token or self.issueToken(aiId))
        self.addCleanup(client.close)
        return client


class RawClient:
    """A client that knows nothing of kernelnet but its protocol: C{ssl} and C{json}."""

    def __init__(self, state: StateDirectory, port: int, aiId: str, token: str) -> None:
        context = ssl.create_default_context(cafile=str(state.caCertificate))
        raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket = context.wrap_socket(raw, server_hostname="localhost")
        self._file: io.BufferedRWPair = self._socket.makefile("rwb")
        self.aiId = aiId
        self.count = 0
        self.seen: list[dict[str, Any]] = []
        try:
            self._write({"ai_id": aiId, "token": token})
        except OSError:
            self.close()
            raise

    def share(self) -> TLSStream:
        """Before anything is heard: a stream to which one thread may write while another hears."""
        stream = TLSStream(self._socket, PATIENCE, PATIENCE)
        self._file = io.BufferedRWPair(stream, stream)
        return stream

    def _write(self, value: dict[str, Any]) -> None:
        self.sendLines([json.dumps(value).encode()])

    def sendLines(self, lines: Iterable[bytes]) -> None:
        self._file.write(b"".join(line + b"\n" for line in lines))
        self._file.flush()

    def message(
        self, kind: str, payload: dict[str, Any], target: str | None = None, id_: str | None = None
    ) -> dict[str, Any]:
        self.count += 1
        return {
            "message_id": id_ or f"{self.aiId}-{self.count}",
            "sender_id": self.aiId,
            "message_type": kind,
            "timestamp": "2026-11-22T12:00:00",
            "payload": payload,
            "target_ai": target,
        }

    def send(self, kind: str, payload: dict[str, Any], target: str | None = None, id_: str | None = None) -> str:
        message = self.message(kind, payload, target, id_)
        self._write(message)
        return str(message["message_id"])

    def hello(self, **payload: Any) -> dict[str, Any]:
        """Say hello; the answer's payload."""
        base = {"specialization": "file_system", "capabilities": ["file_operations"], "version": "1.0.0"}
        self.send("hello", {**base, "features_supported": [], "collaboration_ready": True, **payload})
        return self.receive("training_sync")["payload"]  # type: ignore[no-any-return]

    def nextLine(self) -> bytes:
        """@raise EOFError: the hub has closed."""
        line = self._file.readline()
        if not line:
            raise EOFError
        return line

    def next(self) -> dict[str, Any]:
        """The next message.  @raise EOFError: the hub has closed."""
        message: dict[str, Any] = json.loads(self.nextLine())
        return message

    def receive(self, kind: str, **where: Any) -> dict[str, Any]:
        """The next message of a type whose payload has these values; others are passed over, but kept in C{seen}."""
        while True:
            try:
                message = self.next()
            except EOFError:
                raise AssertionError(f"the hub closed before it sent {kind}; it sent {self.seen}") from None
            self.seen.append(message)
            payload = message["payload"]
            if message["message_type"] == kind and all(payload.get(k) == v for k, v in where.items()):
                return message

    def close(self) -> None:
        with self._socket, contextlib.suppress(OSError):
            self._file.close()  # fails where the hub has closed, and something was still to be written
