"""
The hubs of C{kernelnet demo}: one with its SQLite file, or several nodes on a PostgreSQL of their own, of which one is
killed in the middle.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from kernelnet.cli.demo_postgres import OwnPostgres
from kernelnet.cli.demo_processes import DemoError, Processes, program
from kernelnet.hub.admin import control_client
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import silent
from kernelnet.hub.storage.offline import URL, databaseOf
from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.trainer.storage.database import StoreError
from kernelnet.trainer.storage.offline import acknowledged

__all__ = ["Hubs", "Nodes", "OneHub", "compared"]

STARTS = 30.0
MOVE = 30.0
"""Seconds in which the trainers of a node that was killed must have come to another one."""
LOOK_EACH = 0.05
NAMES = ("east", "west", "north", "south")
_REPORTS = 1000
_ANY_SIZE = 1 << 30


class Hubs(Protocol):
    """
    @ivar addresses: HOST:PORT of each that was started.
    """

    @property
    def addresses(self) -> list[str]: ...

    def start(self) -> None:
        """Start them, and wait until they listen.  @raise DemoError: one doesn't."""

    def dashboard(self) -> str:
        """An address that signs one browser in, once."""

    def look(self, now: float, until: float) -> list[str]:
        """
        Do what is to be done in the middle.

        @param now: C{time.monotonic}; C{until}: when the trainers have had their time.
        @return: lines on it for the user.
        """

    def stop(self, ais: Iterable[str]) -> list[str]:
        """
        End them in order, with all that they stored in the state directory.

        @return: lines on what became of what the trainers C{ais} had said.
        """

    def close(self) -> None:
        """End whatever still runs; no state directory tells of a database that is gone."""


class OneHub:
    """A hub in the state directory itself."""

    def __init__(self, state: StateDirectory, processes: Processes) -> None:
        self.addresses: list[str] = []
        self._state = state
        self._processes = processes

    def start(self) -> None:
        self._processes.start(
            "hub", program("twistd"), "-n", "kernelhub", "--port", "0", "--state", str(self._state.path)
        )
        self.addresses = [f"localhost:{_portOf(self._state, 'hub', self._processes)}"]

    def dashboard(self) -> str:
        return _ask(self._state, "dashboard")["url"]  # type: ignore[no-any-return]

    def look(self, now: float, until: float) -> list[str]:
        return []

    def stop(self, ais: Iterable[str]) -> list[str]:
        self.close()
        return []

    def close(self) -> None:
        self._processes.stop(["hub"])


class Nodes:
    """
    Nodes as their operator makes them: C{kernelnet cluster init}, C{add-node}, C{twistd kernelhub --node}.

    The state directory is the operator's.  What PostgreSQL held is in its SQLite file at the end, as a backup has it.
    """

    def __init__(self, state: StateDirectory, processes: Processes, count: int) -> None:
        """@raise DemoError: there can be no PostgreSQL."""
        self.addresses: list[str] = []
        self._state = state
        self._processes = processes
        self._postgres = OwnPostgres(processes)
        self._states = {name: StateDirectory(state.path / name) for name in NAMES[:count]}
        self._began = 0.0
        self._killed: str | None = None
        self._told: list[str] = []

    def start(self) -> None:
        self._postgres.start()
        state = ("--state", str(self._state.path))
        self._command("init", "--database", self._postgres.url, *state)
        for name, node in self._states.items():
            self._command("add-node", name, "--host", "localhost", "--out", str(node.path), *state)
            where = ("--node", name, "--database", self._postgres.url, "--state", str(node.path))
            self._processes.start(name, program("twistd"), "-n", "kernelhub", "--port", "0", *where)
        for name, node in self._states.items():
            self.addresses.append(f"localhost:{_portOf(node, name, self._processes)}")
        self._began = time.monotonic()

    def _command(self, *words: str) -> None:
        done = subprocess.run(
            [program("kernelnet"), "cluster", *words], capture_output=True, text=True, check=False, env=os.environ
        )
        if done.returncode:
            raise DemoError(f"kernelnet cluster {words[0]} failed: {done.stderr.strip()}")

    def dashboard(self) -> str:
        return _ask(self._first, "dashboard")["url"]  # type: ignore[no-any-return]

    @property
    def _first(self) -> StateDirectory:
        """The node that stays."""
        return self._states[NAMES[0]]

    def look(self, now: float, until: float) -> list[str]:
        if self._killed is not None or now < (self._began + until) / 2:
            return []
        where = self._places()
        victim = max(list(self._states)[1:], key=lambda name: sum(node == name for node in where.values()))
        moving = sorted(aiId for aiId, node in where.items() if node == victim)
        self._killed = victim
        self._processes.kill(victim)
        self._told = [self._moved(victim, moving, round(now - self._began))]
        return self._told

    def _moved(self, victim: str, moving: list[str], at: int) -> str:
        """Wait until they are elsewhere, and tell of it."""
        began, came = time.monotonic(), dict[str, float]()
        while len(came) < len(moving) and time.monotonic() < began + MOVE:
            time.sleep(LOOK_EACH)
            for aiId, node in self._places().items():
                if aiId in moving and node != victim:
                    came.setdefault(aiId, time.monotonic() - began)
        words = f"{at} s after the start the node {victim} was killed (SIGKILL) with {len(moving)} AIs connected to it"
        if not moving:
            return words
        words += f"; to another node came {', '.join(f'{aiId} after {s:.1f} s' for aiId, s in came.items()) or 'none'}"
        missing = [aiId for aiId in moving if aiId not in came]
        return f"{words}; not within {MOVE:.0f} s: {', '.join(missing)}" if missing else words

    def _places(self) -> dict[str, str]:
        """Each AI that is connected, and to which node."""
        return {aiId: ai["node"] for aiId, ai in _ask(self._first, "status")["ais"].items()}

    def stop(self, ais: Iterable[str]) -> list[str]:
        self._processes.stop(self._states)
        database = databaseOf(self._state.path)
        lines = [*self._told, compared(self._state.path, ais)]
        database.backUp(self._state.database, silent)
        # From now on the file is the database of this state directory: what is told to do next reads that.
        (self._state.path / URL).unlink()
        self._postgres.stop()
        return lines

    def close(self) -> None:
        self._processes.stop(self._states)
        self._postgres.stop()
        # However it ended, that server is gone: who looks at these directories is to find a file, or nothing.
        for state in (self._state, *self._states.values()):
            (state.path / URL).unlink(missing_ok=True)


def compared(folder: Path, ais: Iterable[str]) -> str:
    """A line on all that the trainers have had acknowledged, looked for among what is stored."""
    with databaseOf(folder).reading() as reader:
        patterns = {(one.author, _idOf(one.body)) for one in reader.patterns.after(None)}
        acked, lost = 0, list[str]()
        for aiId in ais:
            if not (file := folder / "trainers" / aiId / "trainer.db").exists():
                continue
            try:
                said = acknowledged(file, aiId)
            except StoreError as error:
                raise DatabaseError(str(error)) from None
            acked += said.total
            lost += [f"{aiId}'s pattern {id_}" for id_ in said.patterns if (aiId, id_) not in patterns]
            lost += [
                f"{aiId}'s component {one[:12]}" for one in said.components if not reader.components.copies(one, 1)
            ]
            lost += [
                f"{aiId}'s verdict on {one}"
                for one in said.reports
                if all(report.reporter != aiId for report in reader.reports.ofComponent(one, _REPORTS, _ANY_SIZE))
            ]
    words = f"{acked} patterns, components and verdicts of the trainers were acknowledged; lost {len(lost)}"
    return f"{words}: {', '.join(lost[:5])}" if lost else words


class _Named(msgspec.Struct):
    id: str


def _idOf(pattern: bytes) -> str:
    return msgspec.json.decode(pattern, type=_Named).id


def _portOf(state: StateDirectory, name: str, processes: Processes) -> int:
    """The port that a hub which was just started listens on."""
    deadline = time.monotonic() + STARTS
    while time.monotonic() < deadline:
        processes.check()
        try:
            return int(_ask(state, "status")["port"])
        except (control_client.ControlError, IdentityError):
            time.sleep(0.1)
    raise DemoError(f"the hub {name} did not start within {STARTS:.0f} s: see {processes.log(name)}")


def _ask(state: StateDirectory, command: str) -> dict[str, Any]:
    answer: dict[str, Any] = control_client.call(state, {"command": command})
    return answer
