"""Components at work, as AIs saw them and tell it: nobody can repeat it, and no verdict depends on it."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from kernelnet.untrusted import Digest

__all__ = ["MAX_OBSERVATION", "SITE_UNIT", "Environment", "Observation", "ObservedScore", "OwnTrace", "Trial", "onSite"]

MAX_OBSERVATION = 4096
"""Bytes of JSON of the longest `Observation`."""

SITE_UNIT = "share of the way from optimum to reference"
"""
Unit of an observation on a trace of the teller's own: 1 less the level over train and validation, so that less is
better, as of all scores.
"""

_STEPS = 100
"""Number of values that a level may have between 0 and 1."""

Label = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(max_length=128)]
Cost = Annotated[float, Meta(ge=-1e15, le=1e15)]


class Environment(Enum):
    """Place where a component was at work: the system that it is for, or the bench's simulator."""

    REAL = "real"
    SIMULATED = "simulated"


class ObservedScore(Struct, frozen=True, omit_defaults=True):
    """
    Score of one policy there.

    @ivar policy: its name; of the system's own the name that the system has for it, such as C{cubic}.
    @ivar score: in the observation's unit; lower is better.
    @ivar simulated: the same by the bench's simulator; C{None}: it isn't told.
    """

    policy: Label
    score: Cost
    simulated: Cost | None = None


class Observation(Struct, frozen=True, omit_defaults=True):
    """
    A component at work, as who saw it tells it: nobody else can repeat it, and no verdict depends on it.

    @ivar site: random name of the place, the teller's own for each hub.
    @ivar wasm_sha256: of the module that was at work.
    @ivar target: name of the exporter it was made for; C{""}: none.
    @ivar system: name and version, such as C{Linux 6.18.44}; C{hardware}: class of the machine, no more.
    @ivar workload: name of what ran; C{workload_digest}: as the bench names a trace by it, where it is one.
    @ivar settings: of the bench, complete.
    @ivar unit: of all scores.
    @ivar beside: policies that were run the same way.
    @ivar runs: number of runs that each score is the median of.
    """

    environment: Environment
    site: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    wasm_sha256: Digest
    workbench: Label
    unit: Label
    component: ObservedScore
    beside: Annotated[list[ObservedScore], Meta(max_length=16)] = []
    target: Annotated[str, Meta(max_length=64)] = ""
    system: Line = ""
    hardware: Line = ""
    workload: Line = ""
    workload_digest: Digest | None = None
    settings: Annotated[dict[Label, Annotated[int, Meta(ge=-(2**53), le=2**53)]], Meta(max_length=32)] = {}
    runs: Annotated[int, Meta(ge=1, le=10**6)] = 1

    @property
    def conditions(self) -> str:
        """SHA-256 (hex) of what it was seen under: target, workload and settings."""
        what = [self.workbench, self.target, self.workload, self.workload_digest, self.settings]
        return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()

    @property
    def levels(self) -> tuple[float, float] | None:
        """Level on a trace of the teller's own, and the best hand-made policy's; C{None}: it is of another kind."""
        if self.environment is not Environment.SIMULATED or self.unit != SITE_UNIT or len(self.beside) != 1:
            return None
        return _level(1 - self.component.score), _level(1 - self.beside[0].score)


class OwnTrace(Struct, frozen=True):
    """A trace that a user gave to a trainer, at the settings that components are tried at.  It leaves no machine."""

    workbench: str
    digest: str
    settings: dict[str, int]


class Trial(Struct, frozen=True):
    """
    Outcome of trying a component on such a trace.

    @ivar level: over train and validation.
    @ivar handMade: name and level of the best hand-made policy there.
    """

    level: float
    handMade: tuple[str, float]


def onSite(
    site: str, module: str, workbench: str, settings: dict[str, int], *, level: float, handMade: tuple[str, float]
) -> Observation:
    """
    Observation on a trace of one's own, of which it tells neither name nor digest.

    @param module: digest of the module.
    @param level: over train and validation; it is told from -1 to 1, to a hundredth.
    @param handMade: name and level of the best hand-made policy there.
    """
    name, best = handMade
    return Observation(
        environment=Environment.SIMULATED,
        site=site,
        wasm_sha256=module,
        workbench=workbench,
        unit=SITE_UNIT,
        component=ObservedScore("component", round(1 - _level(level), 2)),
        beside=[ObservedScore(name, round(1 - _level(best), 2))],
        settings=settings,
    )


def _level(level: float) -> float:
    """From -1 to 1, to a hundredth."""
    return round(max(-1.0, min(1.0, level)) * _STEPS) / _STEPS
