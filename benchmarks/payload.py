"""
Payloads: a blob through a hub that is killed -9 in between, and what a well-behaved AI notices of one.

The hub runs on one core, over TLS.  First the good AI's acks alone, then beside a blob that is sent and one that is
read, with the same hub; goal: its ack p99 is at most twice that without.  Then another blob is sent while the hub is
killed -9 and started again, read by a peer, and compared byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fairness import acks, quantile

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from kernelnet.payloads import PART
from tests.system.support import RawClient, Twistd, steadyPort

GOAL = 2.0
KILLS = 3


class Hub:
    """A hub on one core, at the same port after each kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = StateDirectory(folder / "state")
        self.port = steadyPort()
        self.tokens: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        self.process = Twistd("kernelhub", "--port", str(self.port), "--state", str(self.state.path), cwd=self.folder)
        self.process.waitFor("[Ll]istening on")
        for thread in Path(f"/proc/{self.process.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {0})

    def killed(self) -> None:
        self.process.kill()
        self.process.close()
        self.start()

    def client(self, aiId: str) -> RawClient:
        if aiId not in self.tokens:
            asked = {"command": "tokens issue", "ai_id": aiId}
            self.tokens[aiId] = control_client.call(self.state, asked)["token"]
        made = RawClient(self.state, self.port, aiId, self.tokens[aiId])
        made.hello(protocol=2)
        return made


class Peer:
    """An AI that sends or reads blobs, and connects anew when the hub is gone."""

    def __init__(self, hub: Hub, aiId: str) -> None:
        self.hub = hub
        self.aiId = aiId
        self.parts = 0
        self.lost = 0
        self._client: RawClient | None = None

    def ask(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The hub's answer; C{None}: the connection was lost."""
        try:
            if self._client is None:
                self._client = self.hub.client(self.aiId)
            id_ = self._client.send("payload", payload)
            return self._client.receive("payload", reply_to=id_)["payload"]  # type: ignore[no-any-return]
        except (OSError, EOFError, AssertionError, control_client.ControlError):
            self.lost += 1
            self._client = None
            time.sleep(0.2)
            return None

    def send(self, data: bytes, progress: Callable[[int], None] = lambda have: None) -> None:
        digest = hashlib.sha256(data).hexdigest()
        begin = {"step": "begin", "digest": digest, "size": len(data), "trace_digest": digest, "suffix": ".txt"}
        answer = None
        while answer is None or not answer.get("whole"):
            if answer is None:
                answer = self.ask(begin)
                continue
            if answer["step"] != "have":
                raise SystemExit(f"the hub refused it: {answer}")
            have = answer.get("have", 0)
            progress(have)
            if have == len(data):
                answer = self.ask({"step": "end", "digest": digest})
                continue
            part = base64.b64encode(data[have : have + PART]).decode()
            self.parts += 1
            answer = self.ask({"step": "part", "digest": digest, "part": have // PART, "data": part})

    def read(self, digest: str, size: int) -> bytes:
        found = bytearray()  # joined anew for each part it would take longer than the hub
        while len(found) < size:
            answer = self.ask({"step": "get", "digest": digest, "part": len(found) // PART})
            if answer is not None:
                if answer["step"] != "part":
                    raise SystemExit(f"the hub refused it: {answer}")
                found += base64.b64decode(answer["data"])
        return bytes(found)


def main(megabytes: int, seconds: float) -> None:
    rng = random.Random(1)
    size = megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        try:
            hub.client("AWAY").close()
            good = hub.client("GOOD")
            acks(good, 2.0)
            alone = acks(good, seconds)
            blob = rng.randbytes(size)
            digest = hashlib.sha256(blob).hexdigest()
            print(f"load {os.getloadavg()[0]:.1f}, a blob of {megabytes} MB")
            print(f"{'':<12} {'ack p50 / p99, ms':>18} {'p99, times':>10} {'MB/s':>6}")
            print(f"{'alone':<12} {quantile(alone, 0.5):>9.1f} / {quantile(alone, 0.99):.1f}")
            for name, work in (
                ("one sends", lambda: Peer(hub, "AI_1").send(blob)),
                ("one reads", lambda: Peer(hub, "AI_2").read(digest, size)),
            ):
                began = time.perf_counter()
                thread = threading.Thread(target=work, daemon=True)
                thread.start()
                beside: list[float] = []
                while thread.is_alive():
                    beside += acks(good, 1.0)
                took = time.perf_counter() - began
                times = quantile(beside, 0.99) / quantile(alone, 0.99)
                told = f"{quantile(beside, 0.5):>9.1f} / {quantile(beside, 0.99):.1f}"
                over = "" if times <= GOAL else f"  over {GOAL:g}"
                print(f"{name:<12} {told:>18} {times:>10.1f} {megabytes / took:>6.1f}{over}", flush=True)
            good.close()

            other = rng.randbytes(size)
            sender, kills = Peer(hub, "AI_3"), [size * (n + 1) // (KILLS + 1) for n in range(KILLS)]

            def kill(have: int) -> None:
                if kills and have >= kills[0]:
                    del kills[0]
                    hub.killed()

            sender.send(other, kill)
            whole = -(-size // PART)
            same = Peer(hub, "AI_4").read(hashlib.sha256(other).hexdigest(), size) == other
            print(
                f"killed -9 {KILLS - len(kills)} times: {sender.lost} connections lost, {sender.parts} parts sent of "
                f"{whole}, what a peer reads is {'the same to the byte' if same else 'SOMETHING ELSE'}"
            )
        finally:
            hub.process.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=200, help="of each blob (default: %(default)d)")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of acks alone (default: %(default)g)")
    chosen = arguments.parse_args()
    main(chosen.megabytes, chosen.seconds)
