"""
Who may import whom, as data, and the few exceptions with their reasons.

A *room* is a package or module with a rule of its own; a module is in the room with the longest name that its own
begins with.  A room stands on others, and may import those and all that they stand on; nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "BENCHES",
    "ENGINES",
    "FACADES",
    "LONG",
    "MAX_LINES",
    "NEVER",
    "ROOMS",
    "SQLITE",
    "TYPED",
    "allowed",
    "isAllowed",
    "roomOf",
]

_BASE = ("kernelnet.line_protocol", "kernelnet.identity", "kernelnet.duration", "kernelnet.size", "kernelnet.untrusted")

BENCHES = tuple(
    f"kernelnet.workbench.{path.parent.name}"
    for path in sorted((Path(__file__).parents[2] / "kernelnet" / "workbench").glob("*/__init__.py"))
)
"""Benches, which don't know each other."""

ROOMS: Mapping[str, tuple[str, ...]] = {
    # The words that all parts have in common
    "kernelnet.untrusted": (),
    "kernelnet.duration": (),
    "kernelnet.size": (),
    "kernelnet.interrupt": (),
    "kernelnet.asyncio_bridge": (),
    "kernelnet.observations": ("kernelnet.untrusted",),
    "kernelnet.families": (),
    "kernelnet.provenance": ("kernelnet.untrusted",),
    "kernelnet.artifacts": ("kernelnet.observations", "kernelnet.provenance", "kernelnet.families"),
    "kernelnet.knowledge": ("kernelnet.artifacts",),
    # values that interfaces name: they stand below these, wherever their home is
    "kernelnet.workbench.abi": (),
    "kernelnet.workbench.account": (),
    "kernelnet.learning.goal": ("kernelnet.artifacts",),
    "kernelnet.interfaces": (
        "kernelnet.artifacts",
        "kernelnet.workbench.abi",
        "kernelnet.workbench.account",
        "kernelnet.learning.goal",
    ),
    "kernelnet.workbench.words": ("kernelnet.interfaces",),
    "kernelnet.payloads": ("kernelnet.artifacts",),
    "kernelnet.message": ("kernelnet.artifacts",),
    "kernelnet.wire": ("kernelnet.message", "kernelnet.payloads", "kernelnet.untrusted"),
    "kernelnet.line_protocol": ("kernelnet.wire",),
    "kernelnet.identity": ("kernelnet.message", "kernelnet.duration"),
    "kernelnet.attestation": ("kernelnet.identity", "kernelnet.untrusted"),
    "kernelnet.daemon": ("kernelnet.identity", "kernelnet.interrupt"),
    "kernelnet.log_format": ("kernelnet.daemon",),
    "kernelnet.plugins": ("kernelnet.interfaces", "kernelnet.interrupt"),
    # Learning and measuring, without a network
    "kernelnet.workbench": (
        "kernelnet.artifacts",
        "kernelnet.interfaces",
        "kernelnet.untrusted",
        "kernelnet.workbench.words",
    ),
    **dict.fromkeys(BENCHES, ("kernelnet.workbench",)),
    "kernelnet.expressions": ("kernelnet.workbench",),
    "kernelnet.generators": ("kernelnet.expressions", "kernelnet.plugins"),
    "kernelnet.generators.llm": ("kernelnet.generators", "kernelnet.identity"),
    "kernelnet.learning": (
        "kernelnet.expressions",
        "kernelnet.message",
        "kernelnet.plugins",
        "kernelnet.asyncio_bridge",
    ),
    "kernelnet.exporters": ("kernelnet.artifacts", "kernelnet.expressions", "kernelnet.workbench"),
    "kernelnet.deploy": ("kernelnet.exporters",),
    "kernelnet.testing": ("kernelnet.learning", "kernelnet.generators", "kernelnet.workbench.file_system"),
    # The trainer
    "kernelnet.trainer": (),
    "kernelnet.trainer.errors": (),
    "kernelnet.trainer.training": ("kernelnet.learning",),
    "kernelnet.trainer.profile": ("kernelnet.learning", "kernelnet.identity"),
    "kernelnet.trainer.storage": ("kernelnet.trainer.profile", "kernelnet.trainer.errors", *_BASE),
    "kernelnet.trainer.connection": ("kernelnet.trainer.errors", *_BASE),
    "kernelnet.trainer.work": ("kernelnet.trainer.storage", "kernelnet.generators", "kernelnet.attestation"),
    "kernelnet.trainer.collaboration": ("kernelnet.trainer.work",),
    "kernelnet.trainer.messaging": ("kernelnet.trainer.collaboration", "kernelnet.trainer.connection"),
    "kernelnet.trainer.progress": ("kernelnet.trainer.messaging",),
    "kernelnet.trainer.goodbye": ("kernelnet.trainer.messaging",),
    "kernelnet.trainer.service": ("kernelnet.trainer.progress", "kernelnet.trainer.goodbye", "kernelnet.daemon"),
    "kernelnet.trainer.api": ("kernelnet.trainer.service",),
    "kernelnet.trainer.tap": ("kernelnet.trainer.service", "kernelnet.log_format", "kernelnet.generators.llm"),
    "kernelnet.mcp": (
        "kernelnet.trainer.service",
        "kernelnet.learning",
        "kernelnet.exporters",
        "kernelnet.asyncio_bridge",
        "kernelnet.plugins",
    ),
    # The hub
    "kernelnet.hub": (),
    "kernelnet.hub.storage": _BASE,
    "kernelnet.hub.auth": ("kernelnet.hub.storage",),
    "kernelnet.hub.views": ("kernelnet.hub.storage",),
    "kernelnet.hub.routing": ("kernelnet.hub.auth", "kernelnet.hub.views"),
    "kernelnet.hub.connection": ("kernelnet.hub.routing",),
    "kernelnet.hub.admin": ("kernelnet.hub.connection",),
    "kernelnet.hub.workbench_rules": ("kernelnet.plugins",),
    "kernelnet.hub.web": ("kernelnet.hub.admin", "kernelnet.hub.workbench_rules", "kernelnet.workbench.words"),
    "kernelnet.hub.config": ("kernelnet.hub.web",),
    "kernelnet.hub.composition": ("kernelnet.hub.web",),
    "kernelnet.hub.service": ("kernelnet.hub.composition", "kernelnet.hub.config", "kernelnet.daemon"),
    "kernelnet.hub.tap": ("kernelnet.hub.service", "kernelnet.log_format"),
    # What stands on all of it
    "kernelnet": ("kernelnet.trainer.api", "kernelnet.learning", "kernelnet.message"),
    "kernelnet.cli": (
        "kernelnet.hub.tap",
        "kernelnet.trainer.tap",
        "kernelnet.trainer.api",
        *BENCHES,
        "kernelnet.exporters",
        "kernelnet.generators.llm",
        "kernelnet.deploy",
        "kernelnet.mcp",
        "kernelnet.interrupt",
    ),
    "kernelnet.__main__": ("kernelnet.cli",),
}
"""What each room stands on.  Some are yet to come; their rule is here before them."""

FACADES = frozenset({"kernelnet", "kernelnet.hub", "kernelnet.trainer"})
"""Rooms that are but a package's C{__init__}; what is below has rules of its own."""

NEVER: tuple[tuple[str, str, str], ...] = (
    ("kernelnet.hub", "kernelnet.trainer", "the two ends know each other by the wire alone"),
    ("kernelnet.trainer", "kernelnet.hub", "the two ends know each other by the wire alone"),
    ("kernelnet.generators", "kernelnet.learning", "a generator gets an IProblem"),
    ("kernelnet.learning", "kernelnet.generators", "learning gets generators as plugins"),
)
"""Which packages never import which, and why, whatever the rooms say."""

SQLITE: tuple[tuple[str, str], ...] = (
    ("kernelnet/hub/storage/sqlite/", "behind the storage seam"),
    ("kernelnet/hub/storage/postgres/", "a backup is a file of SQLite's, whichever engine makes it"),
    ("kernelnet/trainer/storage/", "the trainer's own database"),
    ("kernelnet/generators/llm/", "the ledger of a model's calls, which a search's threads write"),
    ("kernelnet/workbench/file_system/traces/", "records what SQLite reads and writes"),
    ("kernelnet/workbench/process_manager/traces/", "records the scheduling of work that SQLite does"),
    ("kernelnet/workbench/security/traces/", "records the system calls of work that SQLite does"),
    ("kernelnet/deploy/sqlite/", "installs into SQLite"),
)
"""Folders whose modules may import C{sqlite3}, each with its reason."""

ENGINES: Mapping[str, tuple[str, ...]] = {
    # a hub's, commands', and those commands that are about files of SQLite's: backup, restore, doctor
    "kernelnet.hub.storage.sqlite": (
        "kernelnet.hub.service",
        "kernelnet.hub.storage.offline",
        "kernelnet.hub.storage.postgres",  # a backup is a file of SQLite's, whichever engine makes it
        "kernelnet.cli",
    ),
    "kernelnet.hub.storage.memory": (),
    "kernelnet.hub.storage.postgres": ("kernelnet.hub.service", "kernelnet.hub.storage.offline"),
}
"""Engines behind the storage seam, each with those who open databases by it; all others see C{engine.Engine} alone."""

MAX_LINES = 400
"""Maximum number of lines of a module."""

LONG: Mapping[str, str] = {
    "kernelnet/hub/connection/protocol.py": "one state machine, from a connection's first byte to its last",
    "kernelnet/hub/routing/router.py": "one plan for each type of message",
    "kernelnet/hub/storage/event_log.py": "one sequence: what waits, is committed and is told share its fields",
    "kernelnet/trainer/service.py": "the one place that knows all parts, and what each of them is given",
    "kernelnet/artifacts.py": "the values that AIs share, which refer to each other",
    "kernelnet/message.py": "a class for each payload, and the table of their types",
    "kernelnet/interfaces.py": "everything a third party implements, in one place",
}
"""Modules that are longer, each with the reason why it is one thing."""

TYPED = frozenset({"scenario", "bench", "problem"})
"""Names of parameters that have an interface to say what they are: none is annotated C{Any}."""


def roomOf(module: str) -> str | None:
    """Room of a module; C{None} where no rule speaks of it."""
    name = module
    while name:
        if name in ROOMS and (name == module or name not in FACADES):
            return name
        name = name.rpartition(".")[0]
    return None


def allowed(room: str) -> frozenset[str]:
    """Rooms that C{room} may import, itself among them."""
    found = {room}
    waiting = [room]
    while waiting:
        for below in ROOMS[waiting.pop()]:
            if below not in found:
                found.add(below)
                waiting.append(below)
    return frozenset(found)


def isAllowed(source: str, target: str) -> bool:
    """Whether one module may import another.  Where no rule speaks of one of them, that is another check's matter."""
    room, other = roomOf(source), roomOf(target)
    return room is None or other is None or other in allowed(room)
