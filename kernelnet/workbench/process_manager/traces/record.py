"""
Records the logs that ship with the bench: ``python record.py build|web OUTPUT.sched.xz``.

- C{build}: three commands at a time, as C{make -j3} has them: compilers, some of this project's tests, and pipelines
  that search, count and pack its files
- C{web}: four processes that serve web pages out of an SQLite database, two dozen clients of several kinds that think
  between requests, a report each few seconds, and a backup that compresses the database

Seen by perf, which sees the threads of this command alone, whatever else the machine does.  It sees switches and no
wakeups: a burst arrives when it first runs.  It needs perf, and for C{build} GCC and the C{[test]} extra.
Those that ship were recorded on Linux 6.18 on two CPUs, which were busy with other work besides.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import lzma
import multiprocessing
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kernelnet.workbench.process_manager.record import perfBursts, writeTasks
from kernelnet.workbench.process_manager.tasks import Tasks

BURSTS = 60_000
"""At most so many are kept."""

SECONDS = {"build": 300.0, "web": 100.0}

_BENCH = Path(__file__).resolve().parents[1]
_REPOSITORY = _BENCH.parents[2]
_TESTS = ("tests/test_message.py", "tests/test_duration.py", "tests/test_wire.py", "tests/cli/test_demo_progress.py")


def build(folder: Path, until: float) -> None:
    """Three at a time, until the time is over."""
    benches = _BENCH.parent
    policies = sorted(benches.glob("*/baselines/*.c"))
    lackey = benches / "file_system" / "traces" / "lackey_pages.c"
    zig = f"{sys.executable} -m ziglang cc -std=c11 -target wasm32-freestanding -nostdlib -O2 -w -c -I{benches}"
    python = f"{sys.executable} -m"
    commands = (
        f"gcc -pipe -O2 -c {lackey} -o {folder}/NUMBER.o",
        "grep -rn kn_ kernelnet docs | sort | uniq -c | sort -n | tail -3",
        "find kernelnet tests -name '*.py' | xargs -n 3 wc -l | awk '{n += $1} END {print n}'",
        "tar cf - docs kernelnet/workbench | gzip -6 | sha256sum",
        "for f in docs/*/*.rst; do sed 's/[^a-zA-Z]/\\n/g' $f | sort | uniq -c | sort -rn | head -3; done",
        f"{zig} -IFOLDER POLICY -o {folder}/NUMBER.wasm",
        f"{python} pytest -q -p no:cacheprovider TESTS",
        "cat tests/*.py | tee /dev/null | tr -s ' ' | cut -c 1-20 | sort -u | wc",
    )

    def one(number: int) -> None:
        if time.monotonic() < until:
            policy = policies[number % len(policies)]
            command = commands[number % len(commands)].replace("NUMBER", str(number))
            command = command.replace("POLICY", str(policy)).replace("FOLDER", str(policy.parents[1]))
            command = command.replace("TESTS", _TESTS[number % len(_TESTS)])
            subprocess.run(["sh", "-c", command], check=False, capture_output=True, cwd=_REPOSITORY)

    with ThreadPoolExecutor(3) as pool:
        for number in range(5000):
            pool.submit(one, number)


class Pages(http.server.BaseHTTPRequestHandler):
    """Of a path's first part depends how much work a page is."""

    protocol_version = "HTTP/1.1"
    database = ""
    queries = {
        "user": "SELECT * FROM event WHERE id = ?",
        "list": "SELECT * FROM event WHERE user = ? ORDER BY day DESC LIMIT 50",
        "day": "SELECT user, sum(amount) FROM event WHERE day = ? % 60 GROUP BY user",
        "report": "SELECT day, count(*), sum(amount), max(length(note)) FROM event WHERE id > ? GROUP BY day",
    }

    def setup(self) -> None:
        super().setup()
        self.db = sqlite3.connect(self.database, timeout=30, isolation_level=None)

    def finish(self) -> None:
        super().finish()
        self.db.close()

    def do_GET(self) -> None:
        _, kind, number = self.path.split("/")
        if kind == "write":
            values = (int(number) % 500, int(number) % 60, int(number) % 97, "n" * (int(number) % 300))
            self.db.execute("INSERT INTO event (user, day, amount, note) VALUES (?, ?, ?, ?)", values)
            rows: list[object] = []
        else:
            rows = self.db.execute(self.queries[kind], (int(number),)).fetchall()
        body = "".join(f"<li>{row}</li>" for row in rows).encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def named(name: str) -> None:
    """Name this process: that decides about its group."""
    Path("/proc/self/comm").write_text(name)


def serve(listening: socket.socket, database: str) -> None:
    """One of the web server's processes."""
    named("web-server")
    Pages.database = database
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.daemon_threads = True
    server.serve_forever()


def client(port: int, seed: int, until: float) -> None:
    """One who asks for pages of mostly one kind, and thinks."""
    rng = random.Random(seed)
    kinds = (("user", 0.05), ("user", 0.1), ("list", 0.15), ("write", 0.2), ("day", 0.5), ("report", 4))
    usual, thinks = kinds[seed % 6]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while time.monotonic() < until:
        kind = usual if rng.random() < 0.8 else rng.choice(("user", "user", "list", "write"))
        connection.request("GET", f"/{kind}/{rng.randrange(1, 20_000)}")
        connection.getresponse().read()
        time.sleep(rng.expovariate(1 / thinks))


def clients(port: int, seed: int, until: float) -> None:
    """A process with a dozen of these."""
    named("web-client")
    threads = [threading.Thread(target=client, args=(port, seed + number, until)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def backups(database: str, until: float) -> None:
    """Copies and compresses the database again and again."""
    named("web-backup")
    while time.monotonic() < until:
        time.sleep(6)
        with (
            contextlib.closing(sqlite3.connect(database)) as db,
            contextlib.closing(sqlite3.connect(":memory:")) as copy,
        ):
            db.backup(copy)
            lzma.compress(copy.serialize(), preset=1)


def web(folder: Path, until: float) -> None:
    """Servers, clients and backups until the time is over."""
    database = str(folder / "web.db")
    rng = random.Random(7)
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, user INTEGER, day INTEGER, amount INTEGER, note TEXT)")
        rows = [
            (int(500 * rng.random() ** 3), number % 60, rng.randrange(1000), "n" * rng.randrange(200))
            for number in range(20_000)
        ]
        db.executemany("INSERT INTO event (user, day, amount, note) VALUES (?, ?, ?, ?)", rows)
        db.execute("CREATE INDEX by_user ON event (user)")
        db.commit()
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listening.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    servers = [fork.Process(target=serve, args=(listening, database)) for _ in range(4)]
    others = [fork.Process(target=clients, args=(port, seed, until)) for seed in (0, 100)]
    others.append(fork.Process(target=backups, args=(database, until)))
    for process in (*servers, *others):
        process.start()
    for process in others:
        process.join()
    for process in servers:
        process.terminate()
        process.join()


LOADS = {"build": build, "web": web}


def record(load: str, output: Path) -> None:
    """Record the load's threads, and keep the first of them."""
    tasks = perfBursts(["--", sys.executable, __file__, "load", load])
    order = sorted(range(len(tasks.run)), key=tasks.arrival.__getitem__)[:BURSTS]
    kept = Tasks(output, bursts=True, cpus=tasks.cpus)
    for i in order:
        kept.add(tasks.arrival[i], tasks.run[i], tasks.key[i], tasks.group[i])
    writeTasks(kept, output)
    size = output.stat().st_size
    sys.stdout.write(
        f"{output}: {len(kept.run)} of {len(tasks.run)} bursts, {len(set(kept.key))} threads, {size} bytes\n"
    )


def main() -> None:
    """See above."""
    if sys.argv[1] != "load":
        record(sys.argv[1], Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        LOADS[sys.argv[2]](Path(folder), time.monotonic() + SECONDS[sys.argv[2]])


if __name__ == "__main__":
    main()
