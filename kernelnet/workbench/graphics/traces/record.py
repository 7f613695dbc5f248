"""
Records the sessions that ship with the bench: ``python record.py desk|busy|narrow OUTPUT.repaint.xz``.

Weston composes them with pixman, without a screen (its headless backend, 60 frames a second), in a runtime folder of
its own, and C{weston-debug timeline} tells of each commit of a surface and each repaint; `readFrames` makes frames of
that, which are written in our own format.  The clients are those that come with Weston; which of them run is drawn anew
every few seconds.

- C{desk}: 2880 x 1800 with two pixels for one, a terminal in which text scrolls, and one to four other windows, 600 s.
- C{busy}: 2560 x 1440, with compilers beside it, from second to second more or fewer of them, 600 s.
- C{narrow}: 3840 x 2160 with two pixels for one, compositor and clients on one processor alone, 600 s.

All were recorded on a virtual machine of two processors that others worked on at the same time.  It takes weston and
weston-debug (Debian: C{weston}), and cc for C{busy}.  A second recording differs.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelnet.workbench.graphics.frames import writeFrames
from kernelnet.workbench.graphics.readers import readFrames

SECONDS = 600
COMPILERS = 4

TERMINAL = """#!/bin/bash
while true; do for f in /usr/include/*.h; do head -n $((RANDOM%60+5)) $f; sleep 0.$((RANDOM%9+1)); done; done
"""

CLIENTS = (
    ("weston-smoke",),
    ("weston-flower",),
    ("weston-eventdemo",),
    ("weston-subsurfaces",),
    ("weston-resizor",),
    ("weston-simple-shm",),
    ("weston-presentation-shm", "-f"),
    ("weston-simple-damage", "--width=700", "--height=500"),
    ("weston-simple-damage", "--width=300", "--height=200", "--use-viewport"),
    ("weston-transformed",),
    ("weston-cliptest",),
)


@dataclass(frozen=True)
class Session:
    """
    @ivar size: of the screen, C{scale}: its pixels for one of a client's, in each direction.
    @ivar most: windows beside the terminal at a time; C{pause}: seconds until others are drawn.
    @ivar compilers: whether they run beside it; C{oneProcessor}: whether all has to do with one.
    """

    size: tuple[int, int]
    most: int
    pause: tuple[float, float]
    scale: int = 1
    compilers: bool = False
    oneProcessor: bool = False


SESSIONS = {
    "desk": Session((2880, 1800), 4, (2, 9), scale=2),
    "busy": Session((2560, 1440), 3, (3, 12), compilers=True),
    "narrow": Session((3840, 2160), 3, (1, 8), scale=2, oneProcessor=True),
}


def started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def ended(process: subprocess.Popen[bytes]) -> None:
    """With all that it started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = started(*command)
    try:
        yield process
    finally:
        ended(process)


def compileOn(stop: threading.Event, folder: Path) -> None:
    """Compile a page of C over and over, with pauses."""
    source = folder / "page.c"
    source.write_text("".join(f"double f{n}(double x) {{ return x * {n} + x / {n + 1}; }}\n" for n in range(3000)))
    rng = random.Random(COMPILERS)
    while not stop.is_set():
        many = [started("cc", "-O2", "-c", "-o", "/dev/null", str(source)) for _ in range(rng.randint(1, COMPILERS))]
        for each in many:
            each.wait()
        stop.wait(min(5, rng.expovariate(0.7)))


def record(session: Session, folder: Path, log: Path) -> None:
    if session.oneProcessor:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ |= {"XDG_RUNTIME_DIR": str(folder), "WAYLAND_DISPLAY": "kernelnet-record", "HOME": str(folder)}
    folder.chmod(0o700)
    terminal = folder / "text.sh"
    terminal.write_text(TERMINAL)
    terminal.chmod(0o755)
    width, height = session.size
    weston = ["weston", "--backend=headless-backend.so", "--use-pixman", f"--width={width}", f"--height={height}"]
    weston += [f"--scale={session.scale}", "--socket=kernelnet-record", "--debug", "--idle-time=0", "--no-config"]
    stop, rng = threading.Event(), random.Random(7)
    with running(*weston):
        time.sleep(2)
        with running("weston-debug", "timeline", "-o", str(log)), running("weston-terminal", f"--shell={terminal}"):
            if session.compilers:
                threading.Thread(target=compileOn, args=(stop, folder), daemon=True).start()
            until = time.monotonic() + SECONDS
            windows: list[subprocess.Popen[bytes]] = []
            while (left := until - time.monotonic()) > 0:
                while windows and (len(windows) >= session.most or rng.random() < 0.5):
                    ended(windows.pop(rng.randrange(len(windows))))
                windows.append(started(*rng.choice(CLIENTS)))
                time.sleep(min(left, rng.uniform(*session.pause)))
            for each in windows:
                ended(each)
            stop.set()


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in SESSIONS:
        sys.exit(f"python record.py {'|'.join(SESSIONS)} OUTPUT.repaint.xz")
    output = Path(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="kernelnet-record-") as folder:
        log = Path(folder, "timeline.log")
        record(SESSIONS[sys.argv[1]], Path(folder), log)
        frames = readFrames(log)
    writeFrames(frames, output)
    sys.stdout.write(f"{output}: {len(frames.work)} frames, {output.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
