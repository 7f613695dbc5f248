"""
What the benchmarks share: servers on private loopback ports with TLS, the load generator, medians, tables.

Each server is a fresh process with fresh storage, on the first core; the load generator (C{loadgen.c}, built when it
is needed) has the second one.  All use the same certificate, TLS 1.3 and the same 500-byte messages.  The figure that
suffers least from what else a machine does is the server's CPU time, from its process clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from kernelnet.hub.storage import sqlite
from kernelnet.identity import StateDirectory, tokenHash

HERE = Path(__file__).resolve().parent
TOKEN = "benchmark-token-of-"
"""With the ai_id behind it: every client's token."""
PUBLISHERS, SUBSCRIBERS = 1000, 1100
"""So many ids of each kind may come in."""
AWAY = f"s{SUBSCRIBERS - 1:04x}"
"""An AI that never connects: what is for it alone is only stored."""
_PATIENCE = 30.0

Result = dict[str, Any]


@dataclass
class Server:
    """
    A running server.

    @ivar arguments: what the load generator has to know of it.
    @ivar state: of the hub; of others only the certificates in it are used.
    """

    name: str
    pid: int
    port: int
    arguments: list[str]
    state: StateDirectory


@dataclass
class Table:
    """A title, column heads, rows of text, and remarks below."""

    title: str
    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        widths = [max(len(row[i]) for row in [self.heads, *self.rows]) for i in range(len(self.heads))]
        rule = "  ".join("=" * width for width in widths)
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [self.heads, *self.rows]
        ]
        body = [self.title, "-" * len(self.title), "", rule, lines[0], rule, *lines[1:], rule, ""]
        for remark in self.remarks:
            body += [remark, ""]
        return "\n".join(body)


# --- servers


def startable() -> list[str]:
    """The names of the durable servers that this machine has."""
    found = ["kernelnet"]
    if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists():
        found.append("mosquitto")
    if shutil.which("nats-server"):
        found.append("jetstream")
        if _natsVersion() >= (2, 10):
            found.append("jetstream-synced")
    return found


@contextmanager
def running(name: str, *options: str, beside: Server | None = None) -> Iterator[Server]:
    """
    The server C{name}, from its start to its end; C{options} are for the hub alone.

    @param beside: another hub, which uses the same database.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kernelnet-bench-")))
        state = StateDirectory(folder / "state")
        state.open()
        if beside is not None:
            for file in (beside.state.caCertificate, beside.state.caKey, beside.state.joinToken):
                shutil.copy2(file, state.path)
        state.prepareHub([], datetime.now(UTC))
        if name == "kernelnet" and beside is None:
            _admit(state, options)
        port = _freePort()
        process = {"kernelnet": _hub, "mosquitto": _mosquitto, "jetstream": _nats, "jetstream-synced": _nats}[name](
            name, folder, state, port, list(options)
        )
        stack.callback(_end, process)
        _waitForPort(process, port, folder)
        arguments = ["--port", str(port), "--ca", str(state.caCertificate), "--hub-pid", str(process.pid)]
        if name == "kernelnet":
            arguments += ["--proto", "kernelnet", "--token", TOKEN]
        elif name == "mosquitto":
            arguments += ["--proto", "mqtt1"]
            _subscribeForLater(port, state)
        else:
            arguments += ["--proto", "natsjs"]
            _makeStream(port, state)
        yield Server(name, process.pid, port, arguments, state)


def _spawn(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: pin(0),  # noqa: PLW1509
        )


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


def _admit(state: StateDirectory, options: Sequence[str]) -> None:
    """All clients of the load generator get their tokens."""
    now = time.time()
    ids = [f"p{i:04x}" for i in range(PUBLISHERS)] + [f"s{i:04x}" for i in range(SUBSCRIBERS)]
    rows = [(tokenHash(TOKEN + id_), id_, now, now) for id_ in ids]
    insert = "INSERT INTO tokens (hash, ai_id, kind, created_at, used_at) VALUES ({0}, {0}, 'issued', {0}, {0})"
    if "--database" in options:
        import psycopg

        from kernelnet.hub.storage.postgres import schema

        url = options[options.index("--database") + 1]
        schema.prepare(url)
        with psycopg.connect(url) as server:
            server.cursor().executemany(insert.format("%s").encode(), rows)
    else:
        sqlite.prepare(state.database)
        with closing(sqlite3.connect(state.database)) as connection, connection:
            connection.executemany(insert.format("?"), rows)


def _hub(name: str, folder: Path, state: StateDirectory, port: int, options: list[str]) -> subprocess.Popen[bytes]:
    twistd = str(Path(sys.executable).with_name("twistd"))
    # The limit for one AI is a matter of fairness, not of speed: one publisher stands here for all.
    limits = ["--message-rate", "1000000"] if "--message-rate" in _hubOptions() else []
    return _spawn(folder, twistd, "-n", "kernelhub", "-s", str(state.path), "-p", str(port), *limits, *options)


@cache
def _hubOptions() -> str:
    twistd = str(Path(sys.executable).with_name("twistd"))
    return subprocess.run([twistd, "kernelhub", "--help"], capture_output=True, text=True, check=True).stdout


def _mosquitto(name: str, folder: Path, state: StateDirectory, port: int, _: list[str]) -> subprocess.Popen[bytes]:
    (folder / "config").write_text(
        f"listener {port} 127.0.0.1\n"
        f"cafile {state.caCertificate}\ncertfile {state.hubCertificate}\nkeyfile {state.hubKey}\n"
        f"user root\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        "max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_type error\n"
    )
    return _spawn(folder, shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(folder / "config"))


def _nats(name: str, folder: Path, state: StateDirectory, port: int, _: list[str]) -> subprocess.Popen[bytes]:
    synced = "sync_interval: always\n" if name == "jetstream-synced" else ""
    (folder / "config").write_text(
        f'host: "127.0.0.1"\nport: {port}\nmax_pending: 1GB\n'
        f'tls {{\n cert_file: "{state.hubCertificate}"\n key_file: "{state.hubKey}"\n timeout: 10\n}}\n'
        f'jetstream {{\n store_dir: "{folder}/store"\n max_mem: 1GB\n max_file: 20GB\n {synced}}}\n'
    )
    return _spawn(folder, "nats-server", "-c", str(folder / "config"))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _freePort() -> int:
    """Not one of those that the system gives to connections, or another process may get it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _waitForPort(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.2)
            return
    raise RuntimeError(f"it does not listen:\n{(folder / 'output').read_text(errors='replace')}")


def _connect(port: int, state: StateDirectory, expectFirst: bool = False) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), 10)
    if expectFirst:
        raw.recv(65536)  # NATS says INFO before TLS
    return ssl.create_default_context(cafile=str(state.caCertificate)).wrap_socket(raw, server_hostname="localhost")


def _subscribeForLater(port: int, state: StateDirectory) -> None:
    """A persistent session that is away, so that mosquitto stores what is published."""

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2, "big") + value

    with _connect(port, state) as client:
        hello = text(b"MQTT") + b"\x04\x00\x00\x00" + text(b"away")
        client.sendall(b"\x10" + bytes([len(hello)]) + hello)
        client.recv(4)
        topic = b"\x00\x01" + text(b"k/bench") + b"\x01"
        client.sendall(b"\x82" + bytes([len(topic)]) + topic)
        client.recv(5)
        client.sendall(b"\xe0\x00")


def _makeStream(port: int, state: StateDirectory) -> None:
    """A stream with file storage for what the load generator publishes; the defaults for all else."""
    config = json.dumps({"name": "K", "subjects": ["k.bench"], "storage": "file"}).encode()
    with _connect(port, state, expectFirst=True) as client:
        client.sendall(b'CONNECT {"verbose":false,"tls_required":true}\r\nSUB answer 1\r\n')
        client.sendall(b"PUB $JS.API.STREAM.CREATE.K answer %d\r\n%s\r\n" % (len(config), config))
        answer = b""
        while b"}\r\n" not in answer or b"MSG answer" not in answer:
            answer += client.recv(65536)
        if b'"error"' in answer:
            raise RuntimeError(f"JetStream has no stream: {answer!r}")


# --- load


@cache
def loadGenerator() -> Path:
    """The built load generator."""
    folder = Path(tempfile.mkdtemp(prefix="kernelnet-loadgen-"))
    target = folder / "loadgen"
    subprocess.run(
        [shutil.which("cc") or "gcc", "-O2", "-o", target, HERE / "loadgen.c", "-lssl", "-lcrypto"], check=True
    )
    return target


def load(server: Server, *arguments: str | int | float, seconds: float = 120) -> Result:
    """One run of the load generator; its results."""
    ran = subprocess.run(
        [str(loadGenerator()), *server.arguments, "--timeout", str(seconds), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds * 2 + 120,
        preexec_fn=lambda: pin(1),
        check=False,
    )
    result: Result = json.loads(ran.stdout) if ran.stdout else {}
    if ran.returncode or result.get("bad") or result.get("dead"):
        raise RuntimeError(f"{server.name}: exit code {ran.returncode}, {ran.stdout} {ran.stderr}")
    return result


def interleaved(names: Sequence[str], runs: int, run: Callable[[str], Result]) -> dict[str, list[Result]]:
    """C{run} for each name in turn, C{runs} times over, so that a slow minute hits all of them."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for i in range(runs):
        for name in names:
            results[name].append(run(name))
            print(f"  run {i + 1}/{runs} {name}: {_brief(results[name][-1])}", file=sys.stderr, flush=True)
    return results


def _brief(result: Result) -> str:
    keys = ("hub_cpu_s_per_M", "deliv_s", "acks_s", "ack_p50_ms", "ack_p99_ms", "kb_per_conn", "hub_ms_per_hs", "per_s")
    return " ".join(f"{key}={result[key]}" for key in keys if result.get(key))


# --- figures


def middle(results: Sequence[Result], key: str) -> float:
    return statistics.median(float(result[key]) for result in results)


def figure(results: Sequence[Result], key: str, digits: int = 2) -> str:
    """The median with its spread: C{0.44 (0.42–0.47)}."""
    values = [float(result[key]) for result in results]
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def fsyncMilliseconds(folder: Path | None = None) -> float:
    """The median time of a write of one page and its fsync on this machine."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(100):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _natsVersion() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", _said("nats-server", "--version"))[:3])


def _said(*command: str) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "missing"
    lines = (ran.stdout or ran.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def machine() -> list[tuple[str, str]]:
    """What the figures depend on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    import OpenSSL

    import twisted

    return [
        ("Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("CPU", f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores"),
        ("Memory", f"{int(memory[1]) / 1e6:.0f} GB" if memory else "?"),
        ("System", f"{platform.system()} {platform.release()}"),
        ("One page and fdatasync", f"{fsyncMilliseconds():.2f} ms"),
        ("Load", " ".join(f"{x:.1f}" for x in os.getloadavg())),
        ("Python", f"{platform.python_version()}, Twisted {twisted.__version__}, pyOpenSSL {OpenSSL.__version__}"),
        ("SQLite", sqlite3.sqlite_version),
        ("OpenSSL of Python", ssl.OPENSSL_VERSION),
        ("mosquitto", _said(shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-h")),
        ("NATS", _said("nats-server", "--version")),
    ]


def parser(description: str | None) -> argparse.ArgumentParser:
    """With the options that all benchmarks have."""
    found = argparse.ArgumentParser(description=(description or "").strip().splitlines()[0])
    found.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    return found
