"""
Fairness: how long a well-behaved AI waits for its acks while another sends what costs the hub most, as fast as it may.

The hub runs on one core, over TLS.  The good AI shares a small pattern ten times a second, for an AI that is away; the
other one floods with one kind of message at a time, and reads all it is told.  Compared with the same without a flood,
measured before it with the same hub.  Goal: the good one's ack p99 is at most 3 times that.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.system.abuse import flood, line
from tests.system.support import RawClient, Twistd

RATE = 10.0
"""Messages of the good AI a second."""
GOAL = 3.0

Flood = Callable[[str], Iterator[bytes]]


def _component(number: int, text: str) -> dict[str, object]:
    return {"component": {"id": f"c{number}", "name": "n", "implementation": text, "specialization": "general"}}


FLOODS: dict[str, Flood] = {
    "components of a megabyte": lambda ai: (
        line("os_component_share", _component(i, "x" * 1_000_000 + str(i)), ai, f"large {i}") for i in itertools.count()
    ),
    "the same component, new ids": lambda ai: (
        line("os_component_share", _component(i, "same"), ai, f"same {i}") for i in itertools.count()
    ),
    "small components": lambda ai: (
        line("os_component_share", _component(i, str(i)), ai, f"small {i}") for i in itertools.count()
    ),
    "feature requests": lambda ai: (
        line("feature_request", {"feature": f"f{i}"}, ai, f"feature {i}") for i in itertools.count()
    ),
    "collaboration requests": lambda ai: (
        line("collaboration_request", {"type": "cross_specialization"}, ai, f"offer {i}") for i in itertools.count()
    ),
    "one message again and again": lambda ai: itertools.repeat(
        line("os_component_share", _component(0, "again"), ai, "again")
    ),
    "pages of the knowledge base": lambda ai: (line("training_sync", {}, ai, f"sync {i}") for i in itertools.count()),
}


def acks(good: RawClient, seconds: float, rate: float = RATE) -> list[float]:
    """Milliseconds from sending to the ack, of each message that is sent meanwhile, C{rate} a second at most."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        id_ = good.send("pattern_share", {"pattern": {"id": "p", "type": "t", "confidence": 0.5}}, "AWAY")
        while True:
            message = good.next()
            if message["message_type"] == "ack" and any(one == id_ for one, _ in message["payload"]["acked"]):
                break
        found.append((time.perf_counter() - begin) * 1000)
        time.sleep(max(0.0, 1 / rate - (time.perf_counter() - begin)))
    return found


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Flooding(threading.Thread):
    """@ivar sent: bytes that the hub took."""

    def __init__(self, client: RawClient, lines: Iterator[bytes]) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._lines = lines
        self._end = threading.Event()
        self.sent = 0

    def run(self) -> None:
        _, self.sent = flood(self._client, self._lines, self._end.is_set)

    def end(self) -> None:
        self._end.set()
        self.join()


def main(seconds: float, floods: dict[str, Flood]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = StateDirectory(Path(folder) / "state")
        hub = Twistd("kernelhub", "--port", "0", "--state", str(state.path), cwd=Path(folder))
        try:
            hub.waitFor("[Ll]istening on")
            for thread in Path(f"/proc/{hub.process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {0})
            port = int(control_client.call(state, {"command": "status"})["port"])

            def client(aiId: str) -> RawClient:
                token = control_client.call(state, {"command": "tokens issue", "ai_id": aiId})["token"]
                made = RawClient(state, port, aiId, token)
                made.hello(protocol=2)
                return made

            client("AWAY").close()
            good = client("GOOD")
            acks(good, 2.0)
            print(f"{'flood':<30} {'alone p50 / p99, ms':>20} {'flood p50 / p99, ms':>20} {'p99, times':>10}  taken")
            for number, (name, linesOf) in enumerate(floods.items()):
                alone = acks(good, seconds)
                aiId = f"EVIL_{number}"
                flooding = Flooding(client(aiId), linesOf(aiId))
                flooding.start()
                found = acks(good, seconds)
                flooding.end()
                flooding._client.close()
                times = quantile(found, 0.99) / quantile(alone, 0.99)
                before = f"{quantile(alone, 0.5):.1f} / {quantile(alone, 0.99):.1f}"
                after = f"{quantile(found, 0.5):.1f} / {quantile(found, 0.99):.1f}"
                verdict = "" if times <= GOAL else f"  over {GOAL:g}"
                taken = f"{flooding.sent / seconds / 1e6:.2f} MB/s"
                print(f"{name:<30} {before:>20} {after:>20} {times:>10.1f}  {taken}{verdict}", flush=True)
                time.sleep(1.0)
            good.close()
        finally:
            hub.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default: %(default)g)")
    arguments.add_argument(
        "--flood", action="append", choices=FLOODS, metavar="NAME", help=f"one of {', '.join(FLOODS)}"
    )
    chosen = arguments.parse_args()
    main(chosen.seconds, {name: linesOf for name, linesOf in FLOODS.items() if name in (chosen.flood or FLOODS)})
