"""fsync before ack, shown by the order of the system calls of a real hub."""

import json
import re
import shutil
import socket
import subprocess
import unittest
from pathlib import Path

from kernelnet.hub.admin import control_client
from tests.system.support import PATIENCE, RawClient, SystemTestCase, Twistd
from tests.system.test_storage import pattern


def whyNot() -> str:
    """Why system calls can't be traced here; C{""}: they can."""
    if shutil.which("strace") is None:
        return "strace is missing"
    tried = subprocess.run(
        ["strace", "-f", "-D", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip() if tried.returncode else ""


WHY_NOT = whyNot()


class PlainClient(RawClient):
    """The same without TLS, so that the trace shows what is said."""

    def __init__(self, port: int, aiId: str, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)  # type: ignore[assignment]
        self._file = self._socket.makefile("rwb")
        self.aiId = aiId
        self.count = 0
        self.seen = []
        self._write({"ai_id": aiId, "token": token})


class Trace:
    """What C{strace} wrote: (call, path or socket, text) in the order in which the calls returned or were made."""

    def __init__(self, path: Path) -> None:
        self.calls: list[tuple[str, str, str]] = []
        unfinished: dict[str, tuple[str, str, str]] = {}
        for line in path.read_text("utf-8", "replace").splitlines():
            thread, _, call = line.partition(" ")
            call = call.strip()
            if match := re.match(r"(\w+)\(\d+<([^>]*)>(.*)", call):
                name, where, rest = match[1], match[2], match[3]
                if rest.endswith("<unfinished ...>"):
                    unfinished[thread] = (name, where, rest)
                    if name not in ("fdatasync", "fsync"):
                        self.calls.append((name, where, rest))  # when it began
                elif name not in ("fdatasync", "fsync") or rest.endswith("= 0"):
                    self.calls.append((name, where, rest))
            elif (match := re.match(r"<\.\.\. (fdatasync|fsync) resumed>.*= 0$", call)) and thread in unfinished:
                self.calls.append(unfinished.pop(thread))  # when it ended, well

    def first(self, after: int, calls: tuple[str, ...], where: str, text: str = "") -> int:
        """The index of the first such call behind index C{after}; -1: there is none."""
        for i, (name, place, rest) in enumerate(self.calls):
            if i > after and name in calls and place.endswith(where) and text in rest:
                return i
        return -1


@unittest.skipIf(WHY_NOT, f"system calls can't be traced here: {WHY_NOT}")
class FsyncTests(SystemTestCase):
    def test_beforeAck(self) -> None:
        """Each message is written, then synced, then acked and delivered."""
        output = self.folder / "trace"
        trace = "trace=write,pwrite64,pwritev,fsync,fdatasync,send,sendto,sendmsg,writev"
        hub = Twistd(
            *("kernelhub", "--port", "0", "--insecure-plaintext", "--state", str(self.state.path)),
            cwd=self.folder,
            wrapper=["strace", "-f", "-D", "-y", "-s", "70000", "-o", str(output), "-e", trace],
        )
        self.addCleanup(hub.close)
        hub.waitFor("[Ll]istening on")
        port = int(control_client.call(self.state, {"command": "status"})["port"])
        writer = PlainClient(port, "WRITER", self.issueToken("WRITER"))
        self.addCleanup(writer.close)
        reader = PlainClient(port, "READER", self.issueToken("READER"))
        self.addCleanup(reader.close)
        for client in (writer, reader):
            client.hello(protocol=2)
        names = [f"message-number-{i}" for i in range(5)]
        for name in names:
            writer.send("pattern_share", pattern(name), id_=name)
            writer.receive("ack")
            reader.receive("pattern_share")
        hub.stop()
        found = Trace(output)
        sending = ("write", "send", "sendto", "sendmsg", "writev")
        for name in names:
            written = found.first(-1, ("pwrite64", "pwritev", "write"), "-wal", name)
            synced = found.first(written, ("fdatasync", "fsync"), "-wal")
            acked = next(
                i
                for i, (call, _, rest) in enumerate(found.calls)
                if call in sending and '\\"ack\\"' in rest and name in rest
            )
            delivered = next(
                i
                for i, (call, place, rest) in enumerate(found.calls)
                if call in sending
                and not place.endswith("-wal")
                and f"{json.dumps(name)[1:-1]}" in rest
                and '\\"seq\\"' in rest
                and '\\"pattern_share\\"' in rest
            )
            self.assertGreaterEqual(written, 0, f"{name} was never written to the write-ahead log")
            self.assertGreater(synced, written, f"{name} was never synced")
            self.assertGreater(acked, synced, f"{name} was acked before it was synced")
            self.assertGreater(delivered, synced, f"{name} was delivered before it was synced")
