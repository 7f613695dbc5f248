"""
Records the data sets that ship with the bench: ``python record.py shop|tools OUTPUT.txt.xz``.

- C{shop}: the processes of a small web shop (C{shop.py}: Python, SQLite, gzip, a shell), one for each connection of a
  customer, and those of ten kinds of attack on it.
- C{tools}: the processes of a developer's everyday commands (C{tools.py}: git, tar, gcc, make, find, awk, SQLite, …),
  and those of the same programs made to do what they normally don't.

All of it really runs, under ``strace -f``; what attacks read, encrypt and send is in a temporary folder and on the
loopback interface.  A sequence is what one process called, up to 1500 calls; it has the label of why it was started,
also if nothing of the attack can be seen in it.  Of one instance of an attack at most eight processes are kept.

It needs strace, git, GCC, make, curl, openssl, perl and sqlite3, and Linux.  The loads are drawn with a fixed seed; the
calls differ from machine to machine.  Those that ship were recorded on Debian 12, x86-64, with Python 3.11.
"""

from __future__ import annotations

import contextlib
import lzma
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kernelnet.workbench.security.readers import FIRST_LINE
from kernelnet.workbench.security.strace import straceSequences
from kernelnet.workbench.security.traces import shop, tools

LONGEST = 1500
"""Calls of a sequence that are kept."""

MOST = 8
"""Processes of one instance of an attack that are kept: some start a hundred that do the same."""

VISITS, COMMANDS, INSTANCES = 1500, 900, 10


@contextlib.contextmanager
def straced(log: Path, command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A program under strace; when its standard input is closed, it should end."""
    words = ["strace", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", str(log), *command]
    process = subprocess.Popen(
        words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=120)


def sequencesIn(log: Path) -> list[list[str]]:
    with log.open("rb") as lines:
        return [[call.decode() for call in calls[:LONGEST]] for calls in straceSequences(lines)]


def shopping(log: Path, seed: str, attack: str = "") -> list[list[str]]:
    """The processes of all connections to a new shop, without the one that waits for them."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        shop.makeShop(Path(folder), rng)
        command = [sys.executable, "-I", "-S", shop.__file__, "serve", folder]
        with straced(log, command, Path(folder)) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            for _ in range(1 if attack else VISITS):
                with contextlib.closing(shop.Client(port)) as client:
                    shop.ATTACKS[attack](client, rng) if attack else shop.visit(client, rng)
    # The first two are the server's own threads.
    return sequencesIn(log)[2:]


def recordShop(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for calls in shopping(folder / "log", "normal"):
        yield "normal", calls
    for kind in shop.ATTACKS:
        for number in range(INSTANCES):
            for calls in shopping(folder / "log", f"{kind} {number}", kind)[:MOST]:
                yield f"attack:{kind}:{number}", calls


def working(folder: Path, work: Path, script: str) -> list[list[str]]:
    """The processes of one line of shell, without the shell that reads it."""
    log = folder / "log"
    with straced(log, ["sh", "-c", script], work):
        pass
    return sequencesIn(log)[1:]


def recordTools(folder: Path) -> Iterator[tuple[str, list[str]]]:
    work, rng = folder / "work", random.Random("normal")
    work.mkdir()
    tools.makeWork(work, rng)
    for _ in range(COMMANDS):
        for calls in working(folder, work, tools.everyday(rng)):
            yield "normal", calls
    for kind, scripts in tools.ATTACKS.items():
        for number in range(INSTANCES):
            rng = random.Random(f"{kind} {number}")
            place = folder / f"{kind}{number}"
            place.mkdir()
            tools.makeWork(place, rng)
            with shop.listening() as port:
                script = scripts[number % len(scripts)].replace("PORT", str(port)).replace("N", str(rng.randint(2, 9)))
                for calls in working(folder, place, script)[:MOST]:
                    yield f"attack:{kind}:{number}", calls


def main() -> None:
    """See above."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [FIRST_LINE] + [
            f"{label} {' '.join(calls)}"
            for label, calls in {"shop": recordShop, "tools": recordTools}[sys.argv[1]](Path(folder))
        ]
    Path(sys.argv[2]).write_bytes(
        lzma.compress("".join(f"{line}\n" for line in lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    )
    sys.stdout.write(f"{sys.argv[2]}: {len(lines) - 1} sequences\n")


if __name__ == "__main__":
    main()
