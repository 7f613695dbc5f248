"""
Records the links that ship with the bench: ``python record.py household|tunnel OUTPUT.xz``.

A sender sends datagrams that fill packets of 1500 bytes, as many as it can; the trace is when the kernel gave each to
the receiver's socket (C{SO_TIMESTAMPNS}), in milliseconds since the first: mahimahi's format.

- C{household}: two network namespaces with a cable between them (veth), and on it a shaper of 24 Mbit/s (tc's htb) that
  shares the link fairly between our sender and six others: clients that download over the kernel's own TCP,
  many small things and few large ones, with pauses.  The shaper and its rate are made; how the flows share it is
  the kernel's doing.
- C{tunnel}: a program on one machine that takes datagrams, compresses and encrypts each, and sends it on, as a VPN
  does, while compilers run beside it, more or fewer of them from second to second.  What it delivers is what the
  scheduler leaves to it.

Both were recorded on a virtual machine of two processors that others worked on at the same time.  C{household} needs
Linux with network namespaces (as root, or user namespaces), ip and tc with htb; C{tunnel} needs nothing but this
package with its C{[trainer]} extra.  A second recording differs.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

PAYLOAD = 1500 - 28
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33

HOUSEHOLD_SECONDS = 400
CLIENTS = 6
RATE = 24
"""Mbit/s."""

TUNNEL_SECONDS = 240
COMPILERS = 6

_HERE = Path(__file__).resolve().parent


def receive(address: tuple[str, int], seconds: float, started: Callable[[], None]) -> list[int]:
    """The milliseconds, from the first, in which datagrams arrived; C{started} is called when they may."""
    times: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        except PermissionError:
            # Without the right to more, what comes while this process has to wait may be lost.
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        receiver.bind(address)
        receiver.settimeout(5)
        started()
        while not times or times[-1] - times[0] < seconds * 1e9:
            _, ancillary, _, _ = receiver.recvmsg(2048, 64)
            second, nanosecond = struct.unpack("qq", ancillary[0][2])
            times.append(max(second * 1_000_000_000 + nanosecond, times[-1] if times else 0))
    return [(moment - times[0]) // 1_000_000 for moment in times]


def write(times: list[int], output: Path) -> None:
    text = "".join(f"{moment}\n" for moment in times)
    output.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{output}: {len(times)} packets in {times[-1] / 1000:.0f} s, {output.stat().st_size} bytes\n")


def process(*arguments: str) -> subprocess.Popen[bytes]:
    """This script once more, in another role."""
    return subprocess.Popen([sys.executable, __file__, *arguments])


# --- household: the inner namespace sends, the outer one receives ------------------------------------------------

INNER, OUTER, PORT = "10.9.9.1", "10.9.9.2", 9000


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def household() -> list[int]:
    """In a namespace of its own: make the link, and record."""
    command = ["unshare", "-n", sys.executable, __file__, "household-sender"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
        assert sender.stdin is not None and sender.stdout is not None
        try:
            sender.stdout.readline()
            ip("link", "add", "outer", "type", "veth", "peer", "name", "inner")
            ip("link", "set", "inner", "netns", str(sender.pid))
            ip("addr", "add", f"{OUTER}/24", "dev", "outer")
            ip("link", "set", "outer", "up")
            sender.stdin.write(b"made\n")
            sender.stdin.flush()
            sender.stdout.readline()
            for number in range(CLIENTS):
                threading.Thread(target=client, args=(number,), daemon=True).start()
            return receive((OUTER, PORT), HOUSEHOLD_SECONDS, lambda: None)
        finally:
            sender.kill()


def client(number: int) -> None:
    """Downloads, one after the other, with pauses; sizes and pauses have a power law."""
    rng = random.Random(number)
    while True:
        time.sleep(min(20.0, 0.3 * rng.paretovariate(1.1)))
        size = min(30_000_000, int(15_000 * rng.paretovariate(0.8)))
        try:
            with socket.create_connection((INNER, PORT)) as connection:
                connection.sendall(struct.pack("II", number, size))
                while connection.recv(1 << 16):
                    pass
        except OSError:
            time.sleep(0.1)


def householdSender() -> None:
    """In the inner namespace: the shaper, our sender, and the server that the clients download from."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    # Packets as they would be on a cable, none larger.
    ip("link", "set", "inner", "gso_max_size", "1514", "gso_max_segs", "1")
    ip("addr", "add", f"{INNER}/24", "dev", "inner")
    ip("link", "set", "inner", "up")
    tc = ["tc", "qdisc", "add", "dev", "inner", "root", "handle", "1:", "htb", "default", "1"]
    subprocess.run(tc, check=True)
    share = f"{RATE * 1000 // (CLIENTS + 1)}kbit"
    for parent, name, rate in [("1:", "1:100", f"{RATE}mbit")] + [("1:100", f"1:{n + 1}", share) for n in range(7)]:
        tc = ["tc", "class", "add", "dev", "inner", "parent", parent, "classid", name, "htb", "rate", rate]
        subprocess.run([*tc, "ceil", f"{RATE}mbit", "quantum", "1514", "burst", "3000", "cburst", "3000"], check=True)
    threading.Thread(target=serve, daemon=True).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        # It waits when the shaper's queue is full: there is always a packet, and never too many.
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
        sender.connect((OUTER, PORT))
        while True:
            try:
                sender.send(bytes(PAYLOAD))
            except OSError:
                time.sleep(0.01)


def serve() -> None:
    with socket.create_server((INNER, PORT)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection:
        number, size = struct.unpack("II", connection.recv(8))
        # htb takes a packet's priority for its class.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 0x10000 + 2 + number)
        connection.sendall(bytes(size))


# --- tunnel ------------------------------------------------------------------------------------------------------

ENTRY, EXIT = ("127.0.0.1", 9001), ("127.0.0.1", 9002)


def tunnel() -> list[int]:
    """Start all that takes part, and record."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(process("tunnel-program"))
        running.append(process("tunnel-sender"))
        running.extend(process("tunnel-compiler", str(number)) for number in range(COMPILERS))

    try:
        return receive(EXIT, TUNNEL_SECONDS, start)
    finally:
        for each in running:
            each.terminate()


def tunnelSender() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(ENTRY)
        # Text and noise, so that there is something to compress.
        data = (b"what is sent through a tunnel " * 40)[: PAYLOAD - 400] + os.urandom(400)
        while True:
            try:
                # A few at a time: the program's socket is never empty, and sending takes little of the processors.
                for _ in range(20):
                    sender.send(data)
            except OSError:
                pass
            time.sleep(0.001)


def tunnelProgram() -> None:
    cipher, number = ChaCha20Poly1305(bytes(32)), 0
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as entry,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        entry.bind(ENTRY)
        out.connect(EXIT)
        while True:
            packet = zlib.compress(entry.recv(2048), 9)
            sealed = cipher.encrypt(number.to_bytes(12, "big"), packet, None)
            number += 1
            # As large as it came in: what is recorded are packets of 1500 bytes.
            with contextlib.suppress(OSError):
                out.send(sealed.ljust(PAYLOAD, b"\0"))


def tunnelCompiler(number: int) -> None:
    """Compiles the bench's hand-made policies, with pauses; pauses have a power law."""
    rng = random.Random(number)
    policies = sorted((_HERE.parent / "baselines").glob("*.c"))
    include = [f"-I{_HERE.parent}", f"-I{_HERE.parents[1]}"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-c"]
        command += [*include, "-w", "-o", f"{folder}/out.o"]
        caches = {f"ZIG_{which}_CACHE_DIR": folder for which in ("GLOBAL", "LOCAL")}
        while True:
            for _ in range(int(2 * rng.paretovariate(1.0)) % 30):
                # Another macro each time, as it would be taken from the cache.
                macro = f"-DNUMBER={rng.random()}"
                environment = {**os.environ, **caches}
                subprocess.run([*command, macro, str(rng.choice(policies))], check=False, env=environment)
            time.sleep(min(15.0, rng.paretovariate(0.9)))


def main() -> None:
    """See above."""
    match sys.argv[1:]:
        case ["household", output]:
            command = ["unshare", "-rn", sys.executable, __file__, "household-inside", output]
            subprocess.run(command, check=True)
        case ["household-inside", output]:
            write(household(), Path(output))
        case ["household-sender"]:
            householdSender()
        case ["tunnel", output]:
            write(tunnel(), Path(output))
        case ["tunnel-program"]:
            tunnelProgram()
        case ["tunnel-sender"]:
            tunnelSender()
        case ["tunnel-compiler", number]:
            tunnelCompiler(int(number))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
