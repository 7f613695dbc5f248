"""One measurement of an export in the real system that it is for, beside the bench's own number for the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["FEWEST", "MOST_SECONDS", "Measured", "Measurement"]

FEWEST, MOST_SECONDS = 10, 600
"""Seconds that a run may last where what it carries takes real time."""


@dataclass(frozen=True)
class Measured:
    """
    One policy, and its score.

    @ivar name: of the policy; of the system's own the name that the system has for it, such as C{cubic}.
    @ivar real: what the real system gave, in the measurement's unit; the less the better.
    @ivar simulated: what the bench gives for the same; C{None}: it has no such policy.
    @ivar runs: number of valid runs that C{real} is the median of.
    @ivar figures: whatever else was counted, by name with its unit, such as C{mean_rtt_ms}.
    """

    name: str
    real: float
    simulated: float | None = None
    runs: int = 1
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """
    @ivar target: name of the exporter.
    @ivar wasm_sha256: of the component's module.
    @ivar workbench: whose settings and unit these are.
    @ivar unit: of all scores.
    @ivar workload: name of what was run: a link, a database's program.
    @ivar workload_digest: as the bench names a trace by it; empty: it is no trace of the bench's.
    @ivar settings: of the bench, complete.
    @ivar component: what the component reached.
    @ivar beside: what the system's own policies reached in the same way.
    @ivar spoiled: sentences that say why the run doesn't count; none: it is valid.
    @ivar system: such as C{Linux 6.18.44}, with the version of the target if it isn't the kernel.
    @ivar hardware: class of the machine: architecture and number of cores, no more.
    """

    target: str
    wasm_sha256: str
    workbench: str
    unit: str
    workload: str
    workload_digest: str
    settings: Mapping[str, int]
    component: Measured
    beside: Sequence[Measured]
    spoiled: Sequence[str]
    system: str
    hardware: str

    @property
    def isValid(self) -> bool:
        return not self.spoiled
