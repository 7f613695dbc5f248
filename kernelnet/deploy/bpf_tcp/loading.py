"""
Congestion controls of ours in the kernel, by bpftool.

They stay until they are taken out.  Those that a measurement loads have a name of their own (`MEASURED`), and a
measurement holds a lock: what has such a name while nobody holds it was left by one that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelnet.deploy.errors import DeployError
from kernelnet.exporters.bpf_building import bpftool
from kernelnet.exporters.bpf_tcp import PREFIX

__all__ = ["MEASURED", "Loaded", "alone", "brokenOf", "load", "loaded", "removeLeft", "unload"]

MEASURED = f"{PREFIX}m_"
"""Beginning of the names of those that are loaded for a measurement."""

_KIND = "tcp_congestion_ops"

LOCK = Path("/run/kernelnet-measure.lock")
"""File that a measurement holds."""

SECONDS = 60
"""Wall clock for one call of bpftool; the kernel looks at a program for a tenth of a second."""


@dataclass(frozen=True)
class Loaded:
    """@ivar number: of its map in the kernel."""

    number: int
    name: str

    @property
    def isMeasured(self) -> bool:
        return self.name.startswith(MEASURED)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = bpftool()
    if tool is None:
        raise DeployError("there is no bpftool: install it (Debian: bpftool)")
    try:
        return subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DeployError(f"bpftool takes more than {SECONDS} s") from None
    except OSError as error:
        raise DeployError(f"can't run bpftool: {error.strerror}") from None


def loaded() -> Sequence[Loaded]:
    """
    Those of ours that are in the kernel.

    @raise DeployError: it isn't told to this user.
    """
    done = _run("--json", "struct_ops", "show")
    try:
        rows = json.loads(done.stdout or "[]")
        found = [
            Loaded(int(row["id"]), str(row["name"])) for row in rows if row.get("kernel_struct_ops", _KIND) == _KIND
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DeployError(_refusal("can't list what is loaded", done)) from None
    return [each for each in found if each.name.startswith(PREFIX)]


def load(program: Path, name: str) -> None:
    """
    Load a program; the kernel looks at all of it first.

    @param name: of the congestion control that it is.
    @raise DeployError: the kernel refuses it, or this user may not.
    """
    done = _run("struct_ops", "register", str(program))
    if done.returncode or name not in {each.name for each in loaded()}:
        raise DeployError(_refusal(f"the kernel doesn't take {name}", done))


def unload(each: Loaded) -> None:
    """
    Take one out.  Connections that have it keep it until they end; no other gets it.

    @raise DeployError: the kernel refuses that.
    """
    done = _run("struct_ops", "unregister", "id", str(each.number))
    if done.returncode:
        raise DeployError(_refusal(f"can't unload {each.name}", done))


def brokenOf(name: str) -> int:
    """
    Number of connections whose component went wrong, of one that is loaded.

    @raise DeployError: the kernel doesn't tell.
    """
    done = _run("--json", "map", "show")
    broken = 0
    try:
        # libbpf names a program's variables by the first eight letters of its file.
        variables = [row["id"] for row in json.loads(done.stdout) if row.get("name") == f"{name[:8]}.bss"]
        for number in variables:
            done = _run("--json", "map", "dump", "id", str(number))
            for row in json.loads(done.stdout):
                values = row.get("formatted", row)["value"][".bss"]
                broken += sum(int(each.get("broken", 0)) for each in values)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DeployError(_refusal(f"can't read what became of {name}", done)) from None
    return broken


def _refusal(what: str, done: subprocess.CompletedProcess[str]) -> str:
    """With the last thing that was said of a reason, in one line."""
    if os.geteuid() != 0:
        return f"{what}: only root may do that"
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    telling = [
        line for line in lines if not line.startswith(("libbpf:", "--", "processed", "verification", "stack depth"))
    ]
    return f"{what}: {(telling or lines or ['bpftool says no word'])[-1][:200]}"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """
    One measurement at a time on this machine: two would disturb each other.

    @raise DeployError: another one runs, or the lock can't be made.
    """
    try:
        file = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise DeployError(f"can't open {LOCK}: {error.strerror}; only root can measure") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DeployError("another measurement runs on this machine: wait for its end") from None
        yield
    finally:
        os.close(file)


def removeLeft() -> int:
    """Take out what measurements left that were killed; only C{alone}.  @return: how many there were."""
    left = [each for each in loaded() if each.isMeasured]
    for each in left:
        unload(each)
    return len(left)
