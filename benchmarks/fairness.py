"""
Fairness: how long a well-behaved AI waits for its acks while another sends what costs the hub most, as fast as it may.

The hub runs on one core, over TLS; those who talk to it on the others, each in a process of its own, so that what is
measured is how long the hub lets the good one wait and not how long its own process does: it hears what it is told at
once, and who floods has what it leaves of their core.  The good AI shares a small pattern ten times a second, for an AI
that is away; the other one floods with one kind of message at a time, and reads all it is told.  Compared with the same
without a flood, measured before each with the same hub, all together.  Goal: the good one's ack p99 is at most 3 times
that.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from good_ai import GoodAI, letOthersGoFirst, quantile
from harness import Table, machine
from results import publish

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.system.abuse import flood, line
from tests.system.support import RawClient, Twistd

RATE = 10.0
"""Messages of the good AI a second."""
GOAL = 3.0

INTRODUCTION = """\
Written by ``fairness.py --publish``: one AI shares ten small patterns a second, while another sends one kind of message
as fast as it may. The hub has one core, over TLS, on disk; the figure is the time until the first one's ack.\
"""

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


class Flooding:
    """A process that floods."""

    def __init__(self, client: RawClient, lines: Iterator[bytes]) -> None:
        # A fork has the connection, and lines that no pickle could take.
        context = multiprocessing.get_context("fork")
        self._end, self._made = context.Event(), context.Value("q", 0)
        self._process = context.Process(target=self._run, args=(client, lines), daemon=True)
        self._process.start()

    def _run(self, client: RawClient, lines: Iterator[bytes]) -> None:
        letOthersGoFirst()
        flood(client, map(self._count, lines), self._end.is_set)

    def _count(self, line: bytes) -> bytes:
        self._made.value += len(line)
        return line

    @property
    def made(self) -> int:
        """Bytes until now; what the hub has not taken of them is no more than buffers hold."""
        return int(self._made.value)

    def end(self) -> None:
        self._end.set()
        self._process.join()


def main(seconds: float, floods: dict[str, Flood]) -> Table:
    """@return: what is to be published."""
    alone: list[float] = []
    flooded: dict[str, tuple[list[float], float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        state = StateDirectory(Path(folder) / "state")
        hub = Twistd("kernelhub", "--port", "0", "--state", str(state.path), cwd=Path(folder))
        try:
            hub.waitFor("[Ll]istening on")
            first, *others = sorted(os.sched_getaffinity(0))
            for thread in Path(f"/proc/{hub.process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {first})
            os.sched_setaffinity(0, others or {first})
            port = int(control_client.call(state, {"command": "status"})["port"])

            def token(aiId: str) -> str:
                return str(control_client.call(state, {"command": "tokens issue", "ai_id": aiId})["token"])

            def client(aiId: str) -> RawClient:
                made = RawClient(state, port, aiId, token(aiId))
                made.hello(protocol=2)
                return made

            client("AWAY").close()
            good = GoodAI(state, port, "GOOD", token("GOOD"))
            good.acks(2.0, RATE)
            for number, (name, linesOf) in enumerate(floods.items()):
                alone += good.acks(seconds, RATE)
                aiId = f"EVIL_{number}"
                evil = client(aiId)
                flooding = Flooding(evil, linesOf(aiId))
                found = good.acks(seconds / 2, RATE)
                before = flooding.made  # by then it has filled all buffers
                found += good.acks(seconds / 2, RATE)
                taken = (flooding.made - before) / (seconds / 2)
                flooding.end()
                evil.close()
                flooded[name] = found, taken / 1e6
                print(f"{name}: {inWords(found)}; alone until now {inWords(alone)}", file=sys.stderr, flush=True)
                time.sleep(1.0)
            good.close()
        finally:
            hub.close()
    table = Table(
        "Acks of one AI while another floods", ["flood", "acks", "p50 / p99, ms", "p99, times", "taken, MB/s"]
    )
    table.rows.append(["none", str(len(alone)), inWords(alone), "", ""])
    for name, (found, taken) in flooded.items():
        times = quantile(found, 0.99) / quantile(alone, 0.99)
        table.rows.append([name, str(len(found)), inWords(found), f"{times:.1f}", f"{taken:.2f}"])
    over = [row[0] for row in table.rows[1:] if float(row[3]) > GOAL]
    table.remarks.append(
        f"Goal: p99 at most {GOAL:g} times that without a flood; over it: {', '.join(over) or 'none'}."
    )
    return table


def inWords(values: list[float]) -> str:
    return f"{quantile(values, 0.5):.1f} / {quantile(values, 0.99):.1f}"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=40.0, help="of each measurement (default: %(default)g)")
    arguments.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    arguments.add_argument(
        "--flood", action="append", choices=FLOODS, metavar="NAME", help=f"one of {', '.join(FLOODS)}"
    )
    chosen = arguments.parse_args()
    facts = dict(machine())  # before it loads it itself
    about = [f":{what}: {facts[what]}" for what in ("Date", "CPU", "Load")]
    table = main(chosen.seconds, {name: FLOODS[name] for name in FLOODS if name in (chosen.flood or FLOODS)})
    print(table)
    if chosen.publish:
        publish("fairness", "\n".join(["Fairness", "--------", "", INTRODUCTION, "", *about, "", str(table)]))
