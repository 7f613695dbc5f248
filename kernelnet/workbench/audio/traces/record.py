"""
Records the one-way delays that ship with the bench: ``python record.py adsl|cable|mobile OUTPUT.xz``.

A sender sends a datagram as large as one of voice (G.711, 20 ms: 172 bytes with RTP's header) each 20 ms, with the
time at which it does so; the receiver's kernel notes when each came (C{SO_TIMESTAMPNS}).  Both are on one machine and
have one clock: the difference is the time on the way.  The trace is the bench's own format: number, sent and
received, in microseconds since the first was sent.

On the way is a network namespace's cable (veth) with a shaper (tc's htb) and a queue that drops what comes when it is
full (pfifo), which voice shares with clients that download over the kernel's own TCP.  The shaper's rate, the queue's
length, and the clients' sizes and pauses are made; how long a packet waits, and which are lost, is the kernel's doing.

  - C{adsl}: 6 Mbit/s, a queue of 100 packets, three clients with pauses between downloads
  - C{cable}: 30 Mbit/s, a queue of 600 packets, eight clients
  - C{mobile}: one client that downloads nearly always; each 200 ms the rate goes on a random walk, by its logarithm,
    between 1 and 16 Mbit/s; a queue of 150 packets

Recorded on a virtual machine of two processors that others worked on at the same time.  Needs Linux with network
namespaces (as root, or user namespaces), ip and tc with htb.  A second recording differs.
"""

from __future__ import annotations

import contextlib
import lzma
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SO_TIMESTAMPNS = 35

SECONDS = 900
FRAME = 0.02
PAYLOAD = 172

INNER, OUTER, VOICE, DOWNLOADS = "10.9.8.1", "10.9.8.2", 9100, 9101


@dataclass(frozen=True)
class Path_:
    """
    @ivar rate: kbit/s; C{least}, C{most}: between which it walks, if it does.
    @ivar limit: packets in the queue.
    @ivar pause: least seconds between a client's downloads; C{size}: least bytes of one; both have a power law.
    """

    rate: int
    limit: int
    clients: int
    pause: float
    size: int
    least: int = 0
    most: int = 0


PATHS = {
    "adsl": Path_(6_000, 100, 3, 1.0, 30_000),
    "cable": Path_(30_000, 600, 8, 0.5, 100_000),
    "mobile": Path_(4_000, 150, 1, 0.2, 400_000, 1_000, 16_000),
}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def tc(*arguments: str) -> None:
    subprocess.run(["tc", *arguments], check=True)


def htb(change: str, rate: int) -> None:
    """Give the shaper its rate, in kbit/s."""
    which = ("dev", "inner", "parent", "1:", "classid", "1:1")
    tc("class", change, *which, "htb", "rate", f"{rate}kbit", "burst", "3000", "cburst", "3000")


# --- the outer namespace: receives, and downloads ------------------------------------------------------------------


def record(name: str, output: Path) -> None:
    """In a namespace of its own: make the path, and record."""
    command = ["unshare", "-n", sys.executable, __file__, "sender", name]
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
            for number in range(PATHS[name].clients):
                threading.Thread(target=download, args=(number, PATHS[name]), daemon=True).start()
            write(receive(), output)
        finally:
            sender.kill()


def receive() -> list[tuple[int, int, int]]:
    """Each datagram's number, and when it was sent and received, in nanoseconds."""
    packets: list[tuple[int, int, int]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind((OUTER, VOICE))
        receiver.settimeout(10)
        while not packets or packets[-1][0] < SECONDS / FRAME:
            data, ancillary, _, _ = receiver.recvmsg(2048, 64)
            second, nanosecond = struct.unpack("qq", ancillary[0][2])
            packets.append((*struct.unpack_from("qq", data), second * 1_000_000_000 + nanosecond))
    return packets


def write(packets: list[tuple[int, int, int]], output: Path) -> None:
    first = packets[0][1]
    lines = [f"{number} {(sent - first) // 1000} {(came - first) // 1000}\n" for number, sent, came in packets]
    text = "# kernelnet owd 1: seq sent_us received_us\n" + "".join(lines)
    output.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    lost = packets[-1][0] - packets[0][0] + 1 - len(packets)
    sys.stdout.write(f"{output}: {len(packets)} packets, {lost} lost, {output.stat().st_size} bytes\n")


def download(number: int, path: Path_) -> None:
    """Downloads, one after the other, with pauses; sizes and pauses have a power law."""
    rng = random.Random(number)
    while True:
        time.sleep(min(20.0, path.pause * rng.paretovariate(1.1)))
        size = min(20_000_000, int(path.size * rng.paretovariate(0.9)))
        try:
            with socket.create_connection((INNER, DOWNLOADS)) as connection:
                connection.sendall(struct.pack("I", size))
                while connection.recv(1 << 16):
                    pass
        except OSError:
            time.sleep(0.1)


# --- the inner namespace: sends through the shaper -----------------------------------------------------------------


def send(name: str) -> None:
    """In the inner namespace: the shaper, the sender of voice, and the server that the clients download from."""
    path = PATHS[name]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    # Packets as they would be on a cable, none larger.
    ip("link", "set", "inner", "gso_max_size", "1514", "gso_max_segs", "1")
    ip("addr", "add", f"{INNER}/24", "dev", "inner")
    ip("link", "set", "inner", "up")
    tc("qdisc", "add", "dev", "inner", "root", "handle", "1:", "htb", "default", "1")
    htb("add", path.rate)
    tc("qdisc", "add", "dev", "inner", "parent", "1:1", "handle", "2:", "pfifo", "limit", str(path.limit))
    threading.Thread(target=serve, daemon=True).start()
    if path.most:
        threading.Thread(target=walk, args=(path,), daemon=True).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    time.sleep(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
        voice.connect((OUTER, VOICE))
        start, number = time.monotonic(), 0
        while True:
            time.sleep(max(0.0, start + number * FRAME - time.monotonic()))
            with contextlib.suppress(OSError):
                voice.send(struct.pack("qq", number, time.time_ns()).ljust(PAYLOAD, b"\0"))
            number += 1


def walk(path: Path_) -> None:
    """Change the shaper's rate, five times a second."""
    rng, rate = random.Random(7), float(path.rate)
    while True:
        time.sleep(0.2)
        rate = min(float(path.most), max(float(path.least), rate * 2 ** rng.gauss(0, 0.35)))
        htb("change", int(rate))


def serve() -> None:
    with socket.create_server((INNER, DOWNLOADS)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.sendall(bytes(struct.unpack("I", connection.recv(4))[0]))


def main() -> None:
    """See above."""
    match sys.argv[1:]:
        case ["sender", name] if name in PATHS:
            send(name)
        case ["inside", name, output] if name in PATHS:
            record(name, Path(output))
        case [name, output] if name in PATHS:
            subprocess.run(["unshare", "-rn", sys.executable, __file__, "inside", name, output], check=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
