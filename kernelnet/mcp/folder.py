"""
The one folder that an agent's tools read and write: sources that compiled, components, exports, and what was told.

Names of files are made here, of digests and of names of tasks; nothing that an agent or a stranger says becomes a path.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Component
from kernelnet.learning.ladder import Rung
from kernelnet.mcp.errors import AgentError

__all__ = ["AgentFolder", "Draft", "Ledger"]

MAX_SOURCE = 64 * 1024
"""Bytes of a source that is taken."""

MAX_DRAFTS = 500
MAX_COMPONENTS = 200
"""Maximum number of each that is kept; the oldest go."""

_NAME = re.compile(r"draft-[0-9a-f]{12}", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A source that compiles, by the name under which it is kept."""

    name: str
    source: str
    wasm: bytes


class Ledger(Struct):
    """
    Facts that must not be forgotten between two runs, or limits would be none.

    @ivar submissions: by task, when something was submitted, in seconds since 1970.
    @ivar rungs: by task, the Ladder's state.
    @ivar told: digests of own components whose level on held-out was told.
    """

    submissions: dict[str, list[float]] = {}
    rungs: dict[str, Rung] = {}
    told: list[str] = []


class AgentFolder:
    """
    One agent's folder; made where it is missing, for its user alone.

    @param path: an absolute path; it is below the state directory.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        for each in (path, *(path / name for name in ("drafts", "components", "exports", "train"))):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    # -- sources

    def keep(self, source: str, wasm: bytes) -> Draft:
        """Keep a source that compiles; the same one has the same name."""
        name = f"draft-{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
        self._write("drafts", f"{name}.c", source.encode("utf-8", "surrogatepass"))
        self._forget("drafts", MAX_DRAFTS)
        return Draft(name, source, wasm)

    def source(self, given: str) -> str:
        """
        A source that an agent gave, or that of a draft which it named.

        @raise AgentError: there is no such draft, or it is too long.
        """
        if _NAME.fullmatch(given.strip()):
            try:
                return (self.path / "drafts" / f"{given.strip()}.c").read_bytes().decode("utf-8", "surrogatepass")
            except OSError:
                raise AgentError(
                    f"there is no {given.strip()} (any more): give the whole source; its name comes with the answer"
                ) from None
        size = len(given.encode("utf-8", "surrogatepass"))
        if size > MAX_SOURCE:
            raise AgentError(f"the source has {size} bytes; at most {MAX_SOURCE} are taken")
        if "kn_" not in given:
            raise AgentError(
                f"{given[:60]!r} is no policy: give the whole C source, which defines the kn_… functions that get_task"
                " shows, or the name of a draft, such as draft-0123456789ab"
            )
        return given

    # -- components

    def keepComponent(self, component: Component) -> None:
        """Keep an accepted component of our own."""
        self._write("components", f"{component.digest}.json", msgspec.json.encode(component))
        self._forget("components", MAX_COMPONENTS)

    def components(self) -> list[Component]:
        """Accepted components of our own, the newest first; a file that is none is passed over."""
        found = []
        for path in sorted((self.path / "components").glob("*.json"), key=lambda each: -each.stat().st_mtime_ns):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Component))
            except (msgspec.MsgspecError, OSError):
                continue
        return found

    # -- files for the agent

    def place(self, kind: str, name: str) -> Path:
        """
        Path of a file, or of a new empty folder, that is to be written for the agent.

        @param kind: C{exports} or C{train}; C{name}: any text; what is no letter, digit, dot or dash becomes a dash.
        """
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip(".-")[:100] or "unnamed"
        return self.path / kind / plain

    # -- the ledger

    def ledger(self) -> Ledger:
        """@raise AgentError: it is there and can't be read: then nothing is known of limits."""
        path = self.path / "ledger.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Ledger)
        except FileNotFoundError:
            return Ledger()
        except (msgspec.MsgspecError, OSError) as error:
            raise AgentError(f"{path} can't be read ({error}): its owner must mend or remove it") from None

    def keepLedger(self, ledger: Ledger) -> None:
        self._write("", "ledger.json", msgspec.json.encode(ledger))

    # -- in common

    def _write(self, kind: str, name: str, data: bytes) -> None:
        """Write a file so that it is never half there."""
        folder = self.path / kind
        scratch = folder / f".{name}.{os.getpid()}"
        try:
            scratch.write_bytes(data)
            scratch.replace(folder / name)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise AgentError(f"can't write to {folder}: {error.strerror}") from None

    def _forget(self, kind: str, limit: int) -> None:
        """Remove the oldest files beyond a limit."""
        files = sorted((self.path / kind).iterdir(), key=lambda each: each.stat().st_mtime_ns)
        for old in files[: max(0, len(files) - limit)]:
            old.unlink(missing_ok=True)
