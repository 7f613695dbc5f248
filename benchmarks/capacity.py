"""
Sizes and rates that 100,000 trainers on 20 nodes would ask for, each measured on its own: no node of that size runs.

What is measured here stands in ``RESULTS.rst`` with what is known from the other benchmarks;
``docs/explanation/capacity.rst`` calculates with both.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
from cluster import cpuSeconds, postgres
from harness import Table, machine, parser
from results import publish
from twisted.internet.task import Clock

from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.cluster import Arrival
from kernelnet.hub.storage.postgres import nodes, schema
from kernelnet.hub.storage.postgres.cluster import AT_ONCE, CHANNEL
from kernelnet.hub.storage.postgres.connection import connect
from kernelnet.message import Hello, TrainingSync
from kernelnet.trainer.profile import Profile
from kernelnet.wire import encodePayload

NODES = 20
WORDS = 2000
"""Commits with a word to all, for each rate."""


def hello(number: int) -> Hello:
    """As a trainer says it."""
    field = ("file_system", "process_manager", "networking", "security", "audio")[number % 5]
    profile = Profile.of(_name(number), field)
    return Hello(
        specialization=field,
        capabilities=profile.capabilities,
        version=profile.version,
        features_supported=[profile.feature],
        protocol=2,
        generators=["templates", "genetic", "portfolio"],
        workbenches=[field],
    )


def _name(number: int) -> str:
    return f"trainer-{number:06}"


def _bytesEach(make: Callable[[], object], count: int) -> float:
    tracemalloc.start()
    kept = make()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size / count


def _median(function: Callable[[], object], times: int = 7) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def memory(count: int) -> list[list[str]]:
    """Of a part of them: each takes as much."""
    count = min(count, 10_000)

    def directory() -> Directory:
        found = Directory()
        for number in range(count):
            found.heard(_name(number), hello(number), 1e9 + number)
        return found

    def elsewhere() -> dict[str, Arrival]:
        return {_name(number): Arrival("east", number, 1e9 + number) for number in range(count)}

    known, others = directory(), elsewhere()
    presence = Presence({}, known, Clock(), time.time, others)
    here, infos = presence.whoIsHere()
    answer = len(_encoded(TrainingSync(active_ais=here, ai_info=infos)))
    news = next(presence.infoInParts([_name(7)]))
    return [
        ["an AI that is known, memory of each node", f"{_bytesEach(directory, count):,.0f} bytes"],
        ["an AI that is connected elsewhere, memory of each other node", f"{_bytesEach(elsewhere, count):,.0f} bytes"],
        ["who is here, as a hello is answered (without what was shared)", f"{answer:,} bytes"],
        ["the same, time in the reactor", f"{_median(presence.whoIsHere):.1f} ms"],
        ["who came, to everybody who is there", f"{len(_encoded(TrainingSync(ai_info=news))):,} bytes"],
    ]


def _encoded(sync: TrainingSync) -> bytes:
    return msgspec.json.encode(encodePayload(sync))


def server(url: str, pid: int, count: int) -> list[list[str]]:
    schema.prepare(url)
    with connect(url) as connection:
        for number in range(NODES):
            nodes.renew(connection, nodes.About(f"n{number:02}", "h:6000", 1.0, "0.1.0"), "{}")
        began = time.perf_counter()
        for start in range(0, count, 500):
            some = [(_name(number), 1e9, None) for number in range(start, min(count, start + 500))]
            nodes.arrive(connection, f"n{start // 500 % NODES:02}", some)
        arrived = (time.perf_counter() - began) / count * 1e6
        connection.execute("ANALYZE presence")
        rows = [
            [f"arrivals in the table of {count:,} who are connected", f"{arrived:.0f} µs each"],
            [
                "all nodes with the number of AIs of each, which each node asks for every 2 s",
                f"{_median(lambda: nodes.nodes(connection)):.0f} ms",
            ],
            [
                "all who are elsewhere, which a node asks for that connects anew",
                f"{_median(lambda: nodes.elsewhere(connection, 'n00')):.0f} ms",
            ],
        ]
        for listeners in (0, 1, NODES):
            rows.append([f"a commit with a word to {listeners} nodes", _words(connection, url, pid, listeners)])
    return rows


def _words(connection: psycopg.Connection[tuple[object, ...]], url: str, pid: int, listeners: int) -> str:
    ears = [psycopg.connect(url, autocommit=True) for _ in range(listeners)]
    for ear in ears:
        ear.execute(f"LISTEN {CHANNEL}".encode())
    word = "x" * 40 * AT_ONCE  # as long as one that tells of so many AIs
    before, began = cpuSeconds(pid), time.perf_counter()
    for number in range(WORDS):
        connection.execute("BEGIN")
        connection.execute("UPDATE nodes SET status = $1 WHERE name = 'n00'", (str(number),))
        connection.execute("SELECT pg_notify($1, $2)", (CHANNEL, word))
        connection.execute("COMMIT")
        if number % 100 == 99:
            for ear in ears:
                ear.execute("SELECT 1")  # it takes what came
    seconds, cpu = time.perf_counter() - began, cpuSeconds(pid) - before
    for ear in ears:
        ear.close()
    return f"{WORDS / seconds:,.0f}/s, {cpu / WORDS * 1e6:.0f} µs of the server's CPU"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="where the server's files are; /tmp by default")
    options.add_argument("--ais", type=int, default=100_000)
    options.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    chosen = options.parse_args()
    count = min(chosen.ais, 10_000) if chosen.quick else chosen.ais
    before = dict(machine())
    found = Table(f"{count:,} AIs on {NODES} nodes, piece by piece", ["what", "measured"])
    found.rows += memory(count)
    print(found, file=sys.stderr)
    with postgres(chosen.folder) as (url, pid):
        found.rows += server(url, pid, count)
    text = f"Written by ``capacity.py --publish``: one run.\n\n{found}\nMeasured on {before['Date']}, {before['CPU']};"
    text += f" load {before['Load']}; a page and fdatasync {before['One page and fdatasync']}."
    print(text)
    if chosen.publish:
        publish("capacity", "\n".join(["Capacity", "--------", "", text]))


if __name__ == "__main__":
    main()
