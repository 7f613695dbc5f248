"""
A long log: what appending costs, and reading what a reconnected AI has missed, beside the same in a short one.

The long log's rows are made by SQLite itself, as the hub would have written them but for their checksums, with ids that
sort by time as trainers make them; nothing of this goes over a network.  ``--events`` says how long it is; each million
takes about a gigabyte.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import Table, parser

from kernelnet import wire
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.routing.router import Logged, Router
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.sql.log import readPage
from kernelnet.hub.storage.sqlite.transaction import commit

SENDERS = 100
BATCH = 250
"""Messages in a commit."""
MISSED = 1000
"""Messages that an AI has missed."""
_LINE = (
    '{"message_id":"0199%08x-0000-7000-8000-000000000000","sender_id":"p%04x","message_type":"pattern_share",'
    '"timestamp":"2026-11-22T15:00:00Z","payload":{"pattern":{"id":"q-%08x","type":"loop","confidence":0.69,'
    '"data":{"note":"%s"}}},"target_ai":null}'
)
_FILL = """
WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
INSERT INTO events (seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest)
SELECT i, printf('p%04x', i % ?3), printf('0198%08x-0000-7000-8000-000000000000', i), 'pattern_share', NULL,
    '2026-11-22T15:00:00Z', NULL, printf('{"message_id":"0198%08x-0000-7000-8000-000000000000","payload":"%s"}', i, ?4),
    zeroblob(16)
FROM n
"""


class _Nobody:
    ordered = False

    def withdrawn(self, work: object) -> None:
        return None

    def settled(self, work: object, problem: object) -> None:
        if problem is not None:
            raise RuntimeError(str(problem))


def fill(path: Path, count: int) -> None:
    sqlite.prepare(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    # In the order of time, from all senders in turn, as a log grows.
    step = 100_000
    for start in range(1, count + 1, step):
        end = min(start + step - 1, count)
        connection.execute(_FILL, (start, end, SENDERS, "x" * 380))
    connection.close()


def append(path: Path, commits: int) -> list[float]:
    """CPU seconds of each commit of `BATCH` new messages."""
    router, owner = Router(Directory(), (), collaboration_sessions.Limits()), _Nobody()
    connection = sqlite.connect(path)
    times = []
    for start in range(0, commits * BATCH, BATCH):
        lines = [(_LINE % (g, g % SENDERS, g, "x" * 250)).encode() for g in range(start, start + BATCH)]
        messages = [wire.decode(line) for line in lines]
        works = [Logged(m, router.plan(m), 500, owner) for m in messages]
        began = time.process_time()
        commit(connection, list(works), time.time())
        times.append(time.process_time() - began)
    connection.close()
    return times


def resume(path: Path, runs: int) -> list[float]:
    """Seconds until all pages of what was missed are read."""
    connection = sqlite.connectReader(path)
    times = []
    for _ in range(runs):
        began = time.process_time()
        (head,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        position = head - MISSED
        while position < head:
            position = readPage(connection.execute, position, head, "somebody").upTo
        times.append(time.process_time() - began)
    connection.close()
    return times


def measure(quick: bool, count: int | None = None) -> list[Table]:
    count = count or (200_000 if quick else 1_000_000)
    table = Table(
        f"A log of {count:,} events",
        ["CPU time", "log of 10,000", f"log of {count:,}", "longer by"],
        remarks=["Goal: at most 10 % longer with 10,000,000."],
    )
    with tempfile.TemporaryDirectory(prefix="kernelnet-bench-") as folder:
        paths = []
        for size in (10_000, count):
            paths.append(Path(folder) / f"{size}.db")
            fill(paths[-1], size)
        steps: list[tuple[str, Callable[[Path], list[float]], float]] = [
            (f"append, µs a message in commits of {BATCH}", lambda path: append(path, 40), 1e6 / BATCH),
            (f"resume after {MISSED:,} missed, ms", lambda path: resume(path, 40), 1e3),
        ]
        for what, step, scale in steps:
            short, long_ = (statistics.median(step(path)) * scale for path in paths)
            table.rows.append([what, f"{short:.2f}", f"{long_:.2f}", f"{long_ / short - 1:+.0%}"])
    return [table]


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--events", type=int, help="how long the long log is")
    chosen = options.parse_args()
    for table in measure(chosen.quick, chosen.events):
        print(table)
