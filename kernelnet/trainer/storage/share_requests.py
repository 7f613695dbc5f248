"""Requests of this user's commands that a trainer share a trace, and what became of each."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from kernelnet.trainer.storage.spool import MAX_FILES, SpoolFolder

__all__ = ["ShareOutcome", "ShareRequest", "ShareRequests"]


class ShareRequest(Struct, forbid_unknown_fields=True):
    """@ivar path: of the trace, absolute."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]


class ShareOutcome(Struct):
    """@ivar isShared: whether the hub has it; C{words}: as what, or why not."""

    isShared: bool
    words: str


class ShareRequests(SpoolFolder[ShareRequest]):
    """Those for the trainer of a folder; an outcome stands beside its request until the command has read it."""

    def __init__(self, trainer: Path) -> None:
        super().__init__(
            trainer / "sharing", ShareRequest, "request to share a trace", "it runs and its hub keeps them"
        )

    def tell(self, request: Path, outcome: ShareOutcome) -> None:
        """Write down what became of it, and take it away; of outcomes that nobody reads the newest are kept."""
        told = request.with_suffix(".told")
        made = request.with_suffix(".new")
        made.write_bytes(msgspec.json.encode(outcome))
        made.rename(told)
        self.done(request)
        found = sorted(islice(self._folder.glob("*.told"), 4 * MAX_FILES), key=lambda one: one.lstat().st_mtime)
        for old in found[:-MAX_FILES]:
            old.unlink(missing_ok=True)

    def outcome(self, request: Path) -> ShareOutcome | None:
        """Whatever became of it, once; C{None}: nothing yet."""
        told = request.with_suffix(".told")
        try:
            data = told.read_bytes()
        except FileNotFoundError:
            return None
        os.unlink(told)
        return msgspec.json.decode(data, type=ShareOutcome)
