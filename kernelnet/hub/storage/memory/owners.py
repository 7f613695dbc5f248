"""Owners in memory."""

from __future__ import annotations

from kernelnet.hub.storage.memory.knowledge import MemoryComponents
from kernelnet.hub.storage.memory.tables import Tables

__all__ = ["MemoryOwners"]


class MemoryOwners:
    """`kernelnet.hub.storage.statements.owners.Owners`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, aiId: str) -> str | None:
        return self._tables.owners.get(aiId)

    def all(self) -> dict[str, str]:
        return dict(sorted(self._tables.owners.items()))

    def set(self, aiId: str, owner: str | None) -> None:
        tables = self._tables
        if owner is not None:
            tables.owners[aiId] = owner
        elif aiId in tables.owners:
            del tables.owners[aiId]
        components = MemoryComponents(tables)
        said = {new.digest for _, new in tables.reports.values() if new.reporter == aiId}
        shared = {row.stored.digest for row in tables.components.values() if row.stored.author == aiId}
        for digest in said | shared:
            components.countVerdicts(digest)
        for workbench, voice in [*tables.voices]:
            if voice == aiId:
                components.voted(workbench)
