"""
What ten people who look cost the hub's message path: deliveries per CPU second with ten dashboards open, beside none.

Each dashboard does what the page does: it holds a stream of events, and asks for what its view shows every five
seconds, and once a second while that changes.  Two are open for each of the five views, on a hub that holds components,
reports and sessions.  In one run of the hub and under one load all of them are opened and closed again and again.

The load is patterns, as in the other benchmarks, which change no view's contents; so there is a third way to look,
where each second each view is asked for anew.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from harness import Result, Server, Table, figure, loadGenerator, machine, parser, pin, running
from results import publish

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory

VIEWERS = 10
COMPONENTS, SESSIONS = 500, 100
SUBSCRIBERS, WINDOW = 100, 256
GOAL = 0.95
"""Of what is delivered in a CPU second while nobody looks."""

EVENTS = "/api/events?most=20"
VIEWS = (
    ("/api/ais?limit=1000", "/api/sessions?limit=100&transcripts=no"),
    ("/api/progress",),
    ("/api/components?sort=level&limit=50",),
    ("/api/sessions?limit=50",),
    ("/api/traffic",),
)
"""What each view of the page asks for when it is drawn (kernelnet/hub/web/static)."""
ALONE, QUIETLY, BUSY = WAYS = "nobody looks", f"{VIEWERS} dashboards", f"{VIEWERS}, drawn every second"
PHASE = 5.0
"""Seconds of each."""
REDRAW, QUIET = 1.0, 5.0
"""Seconds between two drawings while what a view shows changes, and while it doesn't (live.js)."""


class Viewer:
    """One open dashboard; C{end} closes it."""

    def __init__(self, port: int, cookie: str, number: int, isBusy: bool, counts: Counter[str]) -> None:
        self._where = ("127.0.0.1", port)
        self._headers = {"Cookie": cookie, "Cache-Control": "max-age=1"}
        self._paths = VIEWS[number % len(VIEWS)]
        self._every = REDRAW if isBusy else QUIET
        # Pages are not opened all in the same moment.
        self._offset = self._every * number / VIEWERS
        self._counts = counts
        self._over = threading.Event()
        self._stream = http.client.HTTPConnection(*self._where, timeout=60)
        for work in (self._listen, self._draw):
            threading.Thread(target=work, daemon=True).start()

    def end(self) -> None:
        self._over.set()
        if self._stream.sock is not None:
            self._stream.sock.shutdown(socket.SHUT_RDWR)

    def _draw(self) -> None:
        connection = http.client.HTTPConnection(*self._where, timeout=60)
        self._over.wait(self._offset)
        while not self._over.is_set():
            for path in self._paths:
                connection.request("GET", path, headers=self._headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
                self._counts["asked"] += 1
                self._counts["bytes"] += len(body)
            self._over.wait(self._every)
        connection.close()

    def _listen(self) -> None:
        with suppress(OSError, ValueError, http.client.HTTPException):  # when it is closed
            self._read()

    def _read(self) -> None:
        self._stream.request("GET", EVENTS, headers=self._headers)
        answer = self._stream.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{EVENTS}: {answer.status} {answer.read()[:200]!r}")
        while data := answer.read1(65536):
            self._counts["events"] += data.count(b"\ndata:")


def signIn(state: StateDirectory) -> tuple[int, str]:
    """@return: the dashboard's port, and a cookie for it."""
    url = urlsplit(control_client.call(state, {"command": "dashboard"})["url"])
    assert url.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=60)
    connection.request("GET", f"{url.path}?{url.query}")
    with closing(connection), connection.getresponse() as answer:
        return url.port, (answer.getheader("Set-Cookie") or "").partition(";")[0]


def _watch(port: int, cookie: str, pipe: Connection) -> None:
    """A process with all viewers, on the load generator's core: opens them when it is told to, and closes them."""
    pin(1)
    while True:
        isBusy = pipe.recv()
        counts: Counter[str] = Counter()
        viewers = [Viewer(port, cookie, number, isBusy, counts) for number in range(VIEWERS)]
        pipe.recv()
        for viewer in viewers:
            viewer.end()
        pipe.send(dict(counts))


def furnish(state: StateDirectory) -> None:
    """Put components, each with a verdict, and completed sessions where a hub would have put them."""
    splits = {split: {"events": 40_000, "score": 20_000, "fuel": 90_000_000} for split in ("train", "held_out")}
    with closing(sqlite3.connect(state.database)) as connection, connection:
        for number in range(COMPONENTS):
            task = number % 8
            report = {
                "workbench": "file_system",
                "workbench_digest": "2" * 64,
                "trace": f"trace-{task}",
                "trace_digest": f"{task:064x}",
                "settings": {"capacity": 512},
                "engine": "e",
                "splits": {**splits, "validation": splits["train"]},
            }
            manifest = {
                "source_sha256": "0" * 64,
                "wasm_sha256": "3" * 64,
                "abi": "file_system/full/2",
                "workbench": "file_system",
                "parents": [],
                "report": report,
            }
            level = number / COMPONENTS
            body = {
                "id": f"component-{number}",
                "implementation": "int x;\n" * 100,
                "development_level": level,
                "manifest": manifest,
            }
            at = "2026-11-22T15:00:00Z"
            connection.execute(
                "INSERT INTO shared_components (ai_id, component_id, seq, kind, name, feature, digest,"
                " development_level, confirmed, timestamp, body)"
                " VALUES ('AI_1', ?, ?, 'component', 'cache', 'file_system', ?, ?, 1, ?, ?)",
                (body["id"], number, f"{number:064x}", level, at, json.dumps(body).encode()),
            )
            told = {"component_id": body["id"], "performance": {"best_by_hand": "sieve", "best_by_hand_level": 0.3}}
            connection.execute(
                "INSERT INTO performance_reports (ai_id, component_id, digest, seq, verdict, timestamp, body)"
                " VALUES ('AI_2', ?, ?, ?, 'confirmed', ?, ?)",
                (body["id"], f"{number:064x}", number, at, json.dumps({**told, "verdict": "confirmed"}).encode()),
            )
        step = {"by": "AI_1", "what": "search", "component": "c", "score": 1, "level": 0.5, "seconds": 20}
        for number in range(SESSIONS):
            connection.execute(
                "INSERT INTO collaboration_sessions (session_id, initiator, type, description, state, partner, invited,"
                " declined, body, created_at, changed_at, transcript) VALUES (?, 'AI_1', 'feature_development',"
                " 'together', 'completed', 'AI_2', '[]', '[]', '{}', ?, ?, ?)",
                (f"{number:032x}", time.time(), time.time(), json.dumps([step] * 8)),
            )


class Meter:
    """What a hub has logged, and the CPU time it took, without asking it."""

    def __init__(self, server: Server) -> None:
        # Its process clock, see clock_getcpuclockid(3).
        self._clock = (~server.pid << 3) | 2
        self._database = sqlite3.connect(server.state.database)
        self.begin()

    def begin(self) -> None:
        self._last = self._read()

    def _read(self) -> tuple[float, float, int]:
        ((seq,),) = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchall() or (
            (0,),
        )
        return time.monotonic(), time.clock_gettime(self._clock), seq

    def since(self) -> Result:
        """Since it began."""
        seconds, cpu, messages = (now - then for now, then in zip(self._read(), self._last, strict=True))
        if not messages:
            raise RuntimeError("nothing was delivered in a whole phase: this machine does too much else")
        return {"deliv_s": messages * SUBSCRIBERS / seconds, "per_cpu_s": messages * SUBSCRIBERS / cpu}


def compare(title: str, rounds: int, *arguments: str | int) -> Table:
    found: dict[str, list[Result]] = {way: [] for way in WAYS}
    told: dict[str, Counter[str]] = {way: Counter() for way in WAYS}
    fan = ("--subs", SUBSCRIBERS, "--pubs", 1, "--ack", "--msgs", 4_000_000, "--timeout", 600)
    with running("kernelnet") as server:
        furnish(server.state)
        port, cookie = signIn(server.state)
        here, there = multiprocessing.Pipe()
        watching = multiprocessing.get_context("fork").Process(target=_watch, args=(port, cookie, there), daemon=True)
        watching.start()
        command = [str(loadGenerator()), *server.arguments, *map(str, (*fan, *arguments))]
        loading = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: pin(1))  # noqa: PLW1509
        try:
            time.sleep(4)
            meter = Meter(server)
            for number in range(rounds):
                # Forwards, backwards, and so on: what changes with time counts for none.
                for way in WAYS if number % 2 == 0 else reversed(WAYS):
                    if way != ALONE:
                        here.send(way == BUSY)
                    time.sleep(0.3)
                    meter.begin()
                    time.sleep(PHASE)
                    found[way].append(meter.since())
                    if way != ALONE:
                        here.send("close")
                        told[way].update(here.recv())
                if loading.poll() is not None:
                    raise RuntimeError("the load generator ended too early")
        finally:
            for process in (loading, watching):
                process.kill()
            loading.wait()
            watching.join()
    table = Table(
        f"{title}; {rounds} rounds of {PHASE:g} s each",
        ["", "deliveries/s", "deliveries per CPU second", "ratio", "goal", "asked/s", "MB/s"],
    )
    for way in WAYS:
        cells = [way, *(figure(found[way], key, 0) for key in ("deliv_s", "per_cpu_s"))]
        if way != ALONE:
            both = zip(found[ALONE], found[way], strict=True)
            cells += [figure([{"ratio": b["per_cpu_s"] / a["per_cpu_s"]} for a, b in both], "ratio", 3), f"≥ {GOAL}"]
            cells += [f"{told[way]['asked'] / rounds / PHASE:.0f}", f"{told[way]['bytes'] / rounds / PHASE / 1e6:.2f}"]
        table.rows.append([*cells, *[""] * (len(table.heads) - len(cells))])
    return table


def measure(quick: bool) -> list[Table]:
    rounds = 4 if quick else 10
    title = f"Dashboards open, fan-out to {SUBSCRIBERS}"
    return [
        compare(f"{title}, window {WINDOW}", rounds, "--window", WINDOW),
        compare(f"{title} at 1,000 messages/s", rounds, "--mode", "open", "--rate", 1000),
    ]


def main() -> None:
    """What is measured goes into ``RESULTS.rst``, but for a quick run's."""
    quick = parser(__doc__).parse_args().quick
    before = dict(machine())
    text = "\n".join(str(table) for table in measure(quick))
    print(text)
    if not quick:
        loads = f"{before['Load']} before, {dict(machine())['Load']} after"
        publish("dashboard", f"{text}\nMeasured on {before['Date']}, {before['CPU']}; load {loads}.")


if __name__ == "__main__":
    main()
