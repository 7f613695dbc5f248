"""
Payloads: a blob through a hub that is killed -9 in between, and what a well-behaved AI notices of one.

The hub runs on one core, over TLS.  The good AI's acks, a hundred a second at most, alone and beside a blob that is
sent, then beside one that is read, by a process of its own and of the lowest priority; each beside what was measured
before it and behind it, with the same hub.  Goal: its ack p99 is at most twice that alone.  Then another blob is sent
while the hub is killed -9 and started again, read by a peer, and compared byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fairness import acks, quantile
from results import publish

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from kernelnet.payloads import PART
from tests.system.support import RawClient, Twistd, steadyPort

RATE = 100.0
"""Messages of the good AI a second, at most."""
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

    def token(self, aiId: str) -> str:
        if aiId not in self.tokens:
            asked = {"command": "tokens issue", "ai_id": aiId}
            self.tokens[aiId] = control_client.call(self.state, asked)["token"]
        return self.tokens[aiId]

    def client(self, aiId: str) -> RawClient:
        return connected(self.state, self.port, aiId, self.token(aiId))

    def peer(self, aiId: str) -> Peer:
        token = self.token(aiId)
        return Peer(lambda: connected(self.state, self.port, aiId, token))


def connected(state: StateDirectory, port: int, aiId: str, token: str) -> RawClient:
    made = RawClient(state, port, aiId, token)
    made.hello(protocol=2)
    return made


class Peer:
    """An AI that sends or reads blobs, and connects anew when the hub is gone."""

    def __init__(self, connect: Callable[[], RawClient]) -> None:
        self._connect = connect
        self.parts = 0
        self.lost = 0
        self._client: RawClient | None = None

    def ask(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The hub's answer; C{None}: the connection was lost."""
        try:
            if self._client is None:
                self._client = self._connect()
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


class Away(NamedTuple):
    """The work of a process of its own."""

    path: Path
    port: int
    aiId: str
    token: str
    reads: bool
    seed: int
    size: int

    def run(self) -> None:
        os.nice(19)
        data = random.Random(self.seed).randbytes(self.size)
        peer = Peer(lambda: connected(StateDirectory(self.path), self.port, self.aiId, self.token))
        if not self.reads:
            peer.send(data)
        elif peer.read(hashlib.sha256(data).hexdigest(), self.size) != data:
            raise SystemExit("what was read is something else")


class Row(NamedTuple):
    """Acks alone, around it, and beside a blob that was sent or read, in milliseconds."""

    name: str
    alone: list[float]
    beside: list[float]
    rate: float

    @property
    def times(self) -> float:
        return quantile(self.beside, 0.99) / quantile(self.alone, 0.99)


def beside(hub: Hub, good: RawClient, name: str, away: Away, seconds: float) -> Row:
    alone = acks(good, seconds / 2, RATE)
    process = get_context("spawn").Process(target=away.run, daemon=True)
    process.start()
    while not control_client.call(hub.state, {"command": "status"})["ais"].get(away.aiId):
        time.sleep(0.05)  # it makes its blob first
    began = time.perf_counter()
    found: list[float] = []
    while process.is_alive():
        found += acks(good, 0.5, RATE)
    took = time.perf_counter() - began
    if process.exitcode:
        raise SystemExit(f"the one that {name} failed")
    alone += acks(good, seconds / 2, RATE)
    return Row(name, alone, found, away.size / took / 1e6)


def main(megabytes: int, seconds: float, asSection: bool) -> None:
    size = megabytes * 1_000_000
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        try:
            hub.client("AWAY").close()
            good = hub.client("GOOD")
            acks(good, 2.0, RATE)
            print(f"load {load:.1f}, a blob of {megabytes} MB")
            print(f"{'':<12} {'alone p50 / p99, ms':>20} {'beside it':>14} {'p99, times':>10} {'MB/s':>6} {'acks':>12}")
            rows = []
            for name, aiId, reads in (("one sends", "AI_1", False), ("one reads", "AI_2", True)):
                away = Away(hub.state.path, hub.port, aiId, hub.token(aiId), reads, 1, size)
                row = beside(hub, good, name, away, seconds)
                rows.append(row)
                told = [f"{quantile(v, 0.5):.1f} / {quantile(v, 0.99):.1f}" for v in (row.alone, row.beside)]
                over = "" if row.times <= GOAL else f"  over {GOAL:g}"
                counts = f"{len(row.alone)} / {len(row.beside)}"
                print(f"{name:<12} {told[0]:>20} {told[1]:>14} {row.times:>10.1f} {row.rate:>6.1f} {counts:>12}{over}")
            good.close()
            killed = throughKills(hub, size)
            print(killed)
        finally:
            hub.process.close()
    if asSection:
        publish("payload", section(rows, killed, megabytes, load))


def throughKills(hub: Hub, size: int) -> str:
    """A blob sent while the hub is killed -9; what came of it, in a sentence."""
    data = random.Random(2).randbytes(size)
    sender, kills = hub.peer("AI_3"), [size * (n + 1) // (KILLS + 1) for n in range(KILLS)]

    def kill(have: int) -> None:
        if kills and have >= kills[0]:
            del kills[0]
            hub.killed()

    sender.send(data, kill)
    same = hub.peer("AI_4").read(hashlib.sha256(data).hexdigest(), size) == data
    return (
        f"killed -9 {KILLS - len(kills)} times: {sender.lost} connections lost, {sender.parts} parts sent of "
        f"{-(-size // PART)}, what a peer reads is {'the same to the byte' if same else 'SOMETHING ELSE'}"
    )


def section(rows: list[Row], killed: str, megabytes: int, load: float) -> str:
    lines = [
        f"{row.name:<10} {quantile(row.alone, 0.5):>9.1f} {quantile(row.alone, 0.99):>9.1f} "
        f"{quantile(row.beside, 0.5):>10.1f} {quantile(row.beside, 0.99):>10.1f} {row.times:>10.1f} {row.rate:>6.1f} "
        f"{len(row.beside):>6}"
        for row in rows
    ]
    rule = "========== ========= ========= ========== ========== ========== ====== ======"
    head = "beside it  alone p50 alone p99 beside p50 beside p99 p99, times MB/s   acks"
    missed = [row for row in rows if row.times > GOAL]
    verdict = "the goal is met" if not missed else f"missed where {' and '.join(row.name for row in missed)}"
    table = "\n".join([rule, head, rule, *lines, rule])
    return f"""\
A blob beside a good AI's acks
------------------------------

Written by ``payload.py --publish``: milliseconds from a message to its ack, of an AI that sends a hundred a second at
most, alone and beside a blob of {megabytes} MB that another one, of the lowest priority, sends or reads; the hub
has one core, which it shares (load {load:.1f}).  Goal: p99 at most {GOAL:g} times that alone, measured before and
behind it with the same hub: {verdict}.

{table}

Another blob of that size: {killed}.
"""


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=200, help="of each blob (default: %(default)d)")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of acks alone (default: %(default)g)")
    arguments.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    chosen = arguments.parse_args()
    main(chosen.megabytes, chosen.seconds, chosen.publish)
