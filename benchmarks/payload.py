"""
Payloads: a blob through a hub that is killed -9 in between, and what a well-behaved AI notices of one.

The hub runs on one core, over TLS.  A blob is sent while the hub is killed -9 and started again, read by a peer, and
compared byte for byte.  Then the good AI's acks, a hundred a second at most: beside blobs that one sends as fast as the
hub takes them, and beside one that another reads again and again, each a process of its own and of the lowest priority,
which stands still for every other second and a half; what is measured then is the good AI alone, with the same hub and
whatever else the machine does.  Goal: its ack p99 is at most twice that alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from good_ai import GoodAI, letOthersGoFirst, quantile
from results import publish

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from kernelnet.payloads import PART
from tests.postgres import server
from tests.system.support import RawClient, Twistd, steadyPort

RATE = 100.0
"""Messages of the good AI a second, at most."""
GOAL = 2.0
KILLS = 3
SEED = 2
"""Of the first blob; the others have the next ones."""


class Hub:
    """A hub on one core, at the same port after each kill."""

    def __init__(self, folder: Path, database: str | None) -> None:
        """@param database: of a server; C{None}: a file."""
        self.folder = folder
        self.arguments = () if database is None else ("--database", database)
        self.state = StateDirectory(folder / "state")
        self.port = steadyPort()
        self.tokens: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        self.process = Twistd(
            *("kernelhub", "--port", str(self.port), "--state", str(self.state.path), "--dashboard", "off"),
            *self.arguments,
            cwd=self.folder,
        )
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

    def read(self, digest: str, size: int, progress: Callable[[int], None] = lambda have: None) -> bytes:
        found = bytearray()  # joined anew for each part it would take longer than the hub
        while len(found) < size:
            answer = self.ask({"step": "get", "digest": digest, "part": len(found) // PART})
            if answer is not None:
                if answer["step"] != "part":
                    raise SystemExit(f"the hub refused it: {answer}")
                found += base64.b64decode(answer["data"])
                progress(len(found))
        return bytes(found)


WINDOW = 1.5
"""Seconds for which a peer works, and then stands still."""


class Away(NamedTuple):
    """The work of a process of its own."""

    path: Path
    port: int
    aiId: str
    token: str
    reads: bool
    size: int

    def run(self, done: Synchronized[int]) -> None:
        """Send one blob after the other, or read one again and again; C{done}: bytes so far."""
        letOthersGoFirst()
        peer = Peer(lambda: connected(StateDirectory(self.path), self.port, self.aiId, self.token))
        data = random.Random(SEED).randbytes(self.size)
        for number in itertools.count(SEED + 1):
            before = done.value

            def tell(have: int, before: int = before) -> None:
                done.value = before + have

            if not self.reads:
                peer.send(random.Random(number).randbytes(self.size), tell)
            elif peer.read(hashlib.sha256(data).hexdigest(), self.size, tell) != data:
                raise SystemExit("what was read is something else")


class Row(NamedTuple):
    """
    Acks in milliseconds, alone and beside a blob that was sent or read; C{rate}: MB/s of that while it was.
    """

    name: str
    alone: list[float]
    beside: list[float]
    rate: float

    @property
    def times(self) -> float:
        return quantile(self.beside, 0.99) / quantile(self.alone, 0.99)


def beside(hub: Hub, good: GoodAI, name: str, away: Away, seconds: float) -> Row:
    context = get_context("spawn")
    done: Synchronized[int] = context.Value("Q", 0)
    process = context.Process(target=away.run, args=(done,), daemon=True)
    process.start()
    assert process.pid is not None
    alone: list[float] = []
    found: list[float] = []
    worked = moved = 0.0
    while not done.value:
        time.sleep(0.1)  # it makes its blob first
    try:
        while worked < seconds:
            began, before = time.perf_counter(), done.value
            found += good.acks(WINDOW, RATE)
            worked += time.perf_counter() - began
            moved += done.value - before
            os.kill(process.pid, signal.SIGSTOP)
            good.acks(0.2, RATE)
            alone += good.acks(WINDOW, RATE)
            os.kill(process.pid, signal.SIGCONT)
            if not process.is_alive():
                raise SystemExit(f"the one that {name} failed")
    finally:
        process.kill()
        process.join()
    return Row(name, alone, found, moved / worked / 1e6)


def main(megabytes: int, seconds: float, postgres: bool, asSection: bool) -> None:
    size = megabytes * 1_000_000
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder), server().database() if postgres else None)
        try:
            print(f"load {load:.1f}, blobs of {megabytes} MB{' on PostgreSQL' if postgres else ''}")
            killed = throughKills(hub, size)
            print(killed)
            hub.client("AWAY").close()
            good = GoodAI(hub.state, hub.port, "GOOD", hub.token("GOOD"))
            good.acks(2.0, RATE)
            print(f"{'':<12} {'alone p50 / p99, ms':>20} {'beside it':>14} {'p99, times':>10} {'MB/s':>6} {'acks':>12}")
            rows = []
            for name, aiId, reads in (("one reads", "AI_2", True), ("one sends", "AI_1", False)):
                away = Away(hub.state.path, hub.port, aiId, hub.token(aiId), reads, size)
                row = beside(hub, good, name, away, seconds)
                rows.append(row)
                told = [f"{quantile(v, 0.5):.1f} / {quantile(v, 0.99):.1f}" for v in (row.alone, row.beside)]
                over = "" if row.times <= GOAL else f"  over {GOAL:g}"
                counts = f"{len(row.alone)} / {len(row.beside)}"
                print(f"{name:<12} {told[0]:>20} {told[1]:>14} {row.times:>10.1f} {row.rate:>6.1f} {counts:>12}{over}")
            good.close()
        finally:
            hub.process.close()
    if asSection:
        publish("payload", section(rows, killed, megabytes, load))


def throughKills(hub: Hub, size: int) -> str:
    """A blob sent while the hub is killed -9; what came of it, in a sentence."""
    data = random.Random(SEED).randbytes(size)
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
most, beside blobs of {megabytes} MB that another one, of the lowest priority, reads or sends, and alone, in turns of
{WINDOW:g} s with the same hub, which has one core and shares it (load {load:.1f} at the begin).  Goal: p99 at most
{GOAL:g} times that alone: {verdict}.

{table}

A blob of that size: {killed}.
"""


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=200, help="of each blob (default: %(default)d)")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of acks beside each (default: %(default)g)")
    arguments.add_argument("--postgres", action="store_true", help="a hub on a PostgreSQL server of its own")
    arguments.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    chosen = arguments.parse_args()
    main(chosen.megabytes, chosen.seconds, chosen.postgres, chosen.publish)
