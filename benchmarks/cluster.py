"""
Accepting and passing on: one hub on SQLite, and one, two and three on a PostgreSQL, in one run.

PostgreSQL is a server of the benchmark's own, fresh for each run, in a folder of C{--folder}, with fsync on; its CPU
time is told apart from the hubs'.  Accepted messages are for an AI that is away; deliveries are of messages that all
who listen get, of all hubs together for each second of CPU that all of these take together.  Publishers and listeners
are dealt out evenly; all hubs share one core, as in all benchmarks here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import AWAY, Result, Server, Table, figure, interleaved, load, machine, middle, parser, running
from results import publish

BIN = Path(shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "")).resolve()
IN_FLIGHT = 16
LISTENERS = 60
NODES = (1, 2, 3)
GOAL = 0.9
"""Deliveries a CPU second of two nodes, beside those of one, where each has as many listeners."""


def cpuSeconds(pid: int) -> float:
    """CPU time of a process with the children that it has, and those that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return own + sum(cpuSeconds(int(child)) for child in children)


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


@contextmanager
def _hubs(count: int, within: Path | None) -> Iterator[tuple[Server, int]]:
    """
    Hubs, as the load generator takes them, and the process of their database.

    @param count: on PostgreSQL; 0: one on SQLite.
    """
    with ExitStack() as stack:
        if not count:
            yield stack.enter_context(running("kernelnet")), 0
            return
        url, pid = stack.enter_context(postgres(within))
        first = stack.enter_context(running("kernelnet", "--database", url, "--node", "n0"))
        servers = [first]
        for at in range(1, count):
            servers.append(
                stack.enter_context(running("kernelnet", "--database", url, "--node", f"n{at}", beside=first))
            )
        ports, pids = (",".join(str(getattr(one, what)) for one in servers) for what in ("port", "pid"))
        values = {"--port": ports, "--hub-pid": pids}
        arguments = [*first.arguments]
        for option, value in values.items():
            arguments[arguments.index(option) + 1] = value
        yield Server(f"{count} nodes", first.pid, first.port, arguments, first.state), pid


def _measured(count: int, messages: int, within: Path | None) -> Result:
    accept = ("--subs", 0, "--pubs", 48, "--window", IN_FLIGHT, "--no-fanout", "--ack", "--target", AWAY)
    with _hubs(count, within) as (servers, pid):
        before = cpuSeconds(pid) if pid else 0.0
        found = load(servers, *accept, "--msgs", messages, "--warmup", messages // 10)
        found["server_us"] = ((cpuSeconds(pid) - before) / (1.1 * messages) * 1e6) if pid else 0.0
    # The load generator's message ids are the same each time, so each has a database of its own.
    for what, listeners in (("each", LISTENERS * max(1, count)), ("shared", LISTENERS)):
        if what == "shared" and count < 2:
            found["shared"] = found["each"]
            continue
        with _hubs(count, within) as (servers, _):
            passed = ("--subs", listeners, "--pubs", 6, "--window", IN_FLIGHT, "--ack")
            fanned = load(servers, *passed, "--msgs", messages // 5, "--warmup", messages // 50)
        found[what] = fanned["deliv_per_hub_cpu_s"]
    return found


def table(runs: int, messages: int, within: Path | None) -> Table:
    names = {"SQLite": 0, **{f"PostgreSQL, {n} node{'s' * (n > 1)}": n for n in NODES}}
    found = interleaved([*names], runs, lambda name: _measured(names[name], messages, within))
    heads = [
        "hubs",
        "acks/s",
        "ack p50, ms",
        "ack p99, ms",
        "hubs' CPU µs / message",
        "server's",
        f"deliveries / CPU s, {LISTENERS} listeners a node",
        f"{LISTENERS} in all",
    ]
    result = Table(f"Nodes on one PostgreSQL, beside SQLite; {runs} runs of {messages:,} messages", heads)
    for name, results in found.items():
        figures = [figure(results, "acks_s", 0), figure(results, "ack_p50_ms"), figure(results, "ack_p99_ms")]
        figures += [figure(results, "hub_cpu_s_per_M", 1), figure(results, "server_us", 1)]
        result.rows.append([name, *figures, figure(results, "each", 0), figure(results, "shared", 0)])
    one, two = (middle(found[f"PostgreSQL, {n} node{'s' * (n > 1)}"], "each") for n in NODES[:2])
    result.remarks.append(
        f"Two nodes with {LISTENERS} listeners each make {two / one:.2f} of the deliveries a CPU second that one makes "
        f"with as many; goal: at least {GOAL}."
    )
    return result


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="where the servers' files are; /tmp by default")
    options.add_argument("--messages", type=int, default=20_000, help="accepted in a run; a fifth are passed on")
    options.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    chosen = options.parse_args()
    if not BIN.name:
        sys.exit("no PostgreSQL server is installed: apt install postgresql")
    if chosen.folder is not None:
        os.environ["TMPDIR"] = str(chosen.folder)
    before = dict(machine())
    found = table(1 if chosen.quick else 3, chosen.messages, chosen.folder)
    told = (
        f"Measured on {before['Date']}, {before['CPU']}; load {before['Load']}, then {dict(machine())['Load']}; a page"
    )
    text = f"Written by ``cluster.py --publish``.\n\n{found}\n{told} and fdatasync {before['One page and fdatasync']}."
    print(text)
    if chosen.publish:
        title = "Several hubs"
        publish("cluster", "\n".join([title, "-" * len(title), "", text]))


if __name__ == "__main__":
    main()
