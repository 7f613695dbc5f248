"""A full disk: a small file system of its own, in a mount namespace, for a real hub."""

import os
import subprocess
import unittest
from pathlib import Path
from typing import Any

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.system.support import RawClient, SystemTestCase, Twistd
from tests.system.test_storage import pattern

MOUNT = 'mount -t tmpfs -o mode=0700,size="$1" tmpfs "$2" && shift 2 && exec "$@"'
UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]


def whyNot() -> str:
    """Why no file system can be mounted here; C{""}: it can."""
    try:
        tried = subprocess.run(
            [*UNSHARE, "sh", "-c", MOUNT, "sh", "1m", "/mnt", "true"], capture_output=True, text=True, check=False
        )
    except OSError as e:
        return f"no unshare: {e}"
    return tried.stderr.strip() if tried.returncode else ""


WHY_NOT = whyNot()


@unittest.skipIf(WHY_NOT, f"a small file system can't be mounted here: {WHY_NOT}")
class FullDiskTests(SystemTestCase):
    def startSmallHub(self, size: str, *arguments: str) -> Twistd:
        """A hub whose state directory is a file system of C{size}; it is seen from here through C{/proc}."""
        self.state.path.mkdir()
        wrapper = [*UNSHARE, "sh", "-c", MOUNT, "sh", size, str(self.state.path)]
        hub = Twistd(
            "kernelhub", "--port", "0", "--state", str(self.state.path), *arguments, cwd=self.folder, wrapper=wrapper
        )
        self.addCleanup(hub.close)
        hub.waitFor("[Ll]istening on")
        self.state = StateDirectory(Path(f"/proc/{hub.process.pid}/root{self.state.path}"))
        self.port = int(control_client.call(self.state, {"command": "status"})["port"])
        return hub

    def say(self, client: RawClient, name: str) -> dict[str, Any]:
        """Share a large pattern; the C{ack} or C{error} that answers."""
        client.send("pattern_share", pattern(name, 100_000), id_=name)
        while (message := client.next())["message_type"] not in ("ack", "error"):
            pass
        return message

    def works(self, client: RawClient) -> None:
        """What needs no log is answered."""
        client.send("heartbeat", {"nonce": 7})
        client.receive("heartbeat", reply_to=7)
        client.send("training_sync", {})
        client.receive("training_sync")

    def check(self, acked: list[str]) -> None:
        """A reader gets exactly what was acked, in order."""
        reader = self.client("READER")
        logId = reader.hello(protocol=2)["log_id"]
        reader.close()
        reader = self.client("READER")
        reader.hello(protocol=2, log_id=logId, resume_after=0)
        heard = [reader.receive("pattern_share")["message_id"] for _ in acked]
        self.assertEqual(heard, acked)

    def fill(self, hub: Twistd, filler: Path) -> None:
        client = self.client("WRITER")
        client.hello(protocol=2)
        acked = []
        for i in range(1000):
            answer = self.say(client, f"m{i}")
            if answer["message_type"] == "error":
                break
            acked.append(f"m{i}")
        self.assertEqual((answer["payload"]["code"], answer["payload"]["class"]), ("storage_full", "retry"))
        self.assertGreater(len(acked), 5)
        self.works(client)
        self.assertEqual(self.say(client, f"m{len(acked)}")["payload"]["code"], "storage_full")
        filler.unlink()
        # by itself: nobody restarts anything
        for i in range(len(acked), len(acked) + 3):
            self.assertEqual(self.say(client, f"m{i}")["message_type"], "ack")
            acked.append(f"m{i}")
        client.send("pattern_share", pattern("last"), id_="last")
        client.receive("ack")
        self.check([*acked, "last"])
        hub.stop()

    def test_reallyFull(self) -> None:
        """On a disk without a free byte nothing is acked that is not stored; with room again all goes on."""
        hub = self.startSmallHub("16m", "--min-free", "0")
        filler = self.state.path / "filler"
        filler.write_bytes(bytes(8_000_000))
        self.fill(hub, filler)

    def test_minFree(self) -> None:
        """Below --min-free messages are refused, and the hub says so once in its log."""
        hub = self.startSmallHub("40m", "--min-free", "20MB")
        filler = self.state.path / "filler"
        filler.write_bytes(bytes(14_000_000))
        self.fill(hub, filler)
        self.assertEqual(sum("less than --min-free" in line for line in hub.lines), 1)
        self.assertEqual(sum("there is room in" in line for line in hub.lines), 1)
