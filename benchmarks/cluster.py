"""
Accepting and passing on: a hub on PostgreSQL beside one on SQLite, in one run.

PostgreSQL is a server of the benchmark's own, fresh for each run, in a folder of C{--folder}, with fsync on; its CPU
time is told apart from the hub's.  Accepted messages are for an AI that is away; deliveries are of messages that all
who listen get.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import AWAY, Result, Server, Table, figure, interleaved, load, machine, parser, running

BIN = Path(shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "")).resolve()
IN_FLIGHT = 16
LISTENERS = 20


def _cpuSeconds(pid: int) -> float:
    """CPU time of a process with the children that it has, and those that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return own + sum(_cpuSeconds(int(child)) for child in children)


@contextmanager
def postgres(within: Path | None) -> Iterator[tuple[str, int]]:
    """A running server: the address of an empty database, and its process."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kernelnet-bench-pg-", dir=within)))
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        data, address = folder / "data", f"postgresql://kernelnet@/postgres?host={folder}"
        make: list[str | Path] = [BIN, "-D", data, "-U", "kernelnet", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        subprocess.run(make, check=True, user=user, capture_output=True, cwd=folder)
        command: list[str | Path] = [BIN.with_name("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses="]
        process = subprocess.Popen(command, user=user, cwd=folder, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        for _ in range(300):
            if subprocess.run([BIN.with_name("pg_isready"), "-q", "-h", folder], check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield address, process.pid


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="where the servers' files are; /tmp by default")
    options.add_argument("--messages", type=int, default=5_000, help="accepted in a run; a tenth are passed on")
    chosen = options.parse_args()
    if not BIN.name:
        sys.exit("no PostgreSQL server is installed: apt install postgresql")
    if chosen.folder is not None:
        os.environ["TMPDIR"] = str(chosen.folder)
    runs, messages = (1 if chosen.quick else 3), chosen.messages

    def measured(name: str) -> Result:
        accept = ("--subs", 0, "--pubs", 32, "--window", IN_FLIGHT, "--no-fanout", "--ack", "--target", AWAY)
        with _hub(name, chosen.folder) as (server, pid):
            before = _cpuSeconds(pid) if pid else 0.0
            found = load(server, *accept, "--msgs", messages, "--warmup", messages // 10)
            found["server_us"] = ((_cpuSeconds(pid) - before) / (1.1 * messages) * 1e6) if pid else 0.0
        passed = ("--subs", LISTENERS, "--pubs", 4, "--window", IN_FLIGHT, "--ack")
        with _hub(name, chosen.folder) as (server, _):  # the load generator's message ids are the same each time
            fanned = load(server, *passed, "--msgs", messages // 10, "--warmup", messages // 100)
        found["deliveries"] = fanned["deliv_per_hub_cpu_s"]
        return found

    found = interleaved(["SQLite", "PostgreSQL"], runs, measured)
    heads = [
        "database",
        "acks/s",
        "ack p50, ms",
        "ack p99, ms",
        "hub's CPU µs / message",
        "server's",
        "deliveries / CPU s",
    ]
    table = Table(f"One hub on each database; {runs} runs of {messages:,} messages", heads)
    for name, results in found.items():
        figures = [figure(results, "acks_s", 0), figure(results, "ack_p50_ms"), figure(results, "ack_p99_ms")]
        figures += [figure(results, "hub_cpu_s_per_M", 1), figure(results, "server_us", 1)]
        table.rows.append([name, *figures, figure(results, "deliveries", 0)])
    rates = [statistics.median(float(r["acks_s"]) for r in found[name]) for name in ("PostgreSQL", "SQLite")]
    table.remarks.append(f"PostgreSQL's rate is {rates[0] / rates[1]:.2f} of SQLite's; load {dict(machine())['Load']}.")
    print(table)


@contextmanager
def _hub(name: str, within: Path | None) -> Iterator[tuple[Server, int]]:
    """A hub, and the process of its database; 0: it has none."""
    with ExitStack() as stack:
        if name == "SQLite":
            yield stack.enter_context(running("kernelnet")), 0
            return
        url, pid = stack.enter_context(postgres(within))
        yield stack.enter_context(running("kernelnet", "--database", url)), pid


if __name__ == "__main__":
    main()
