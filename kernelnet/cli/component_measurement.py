"""A C file of the user's on a scenario: measured as a claim is, beside the hand-made policies, with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelnet.artifacts import Candidate
from kernelnet.cli.arguments import failing
from kernelnet.cli.policy_comparison import MeasuredComponent, Standing, standing, steps
from kernelnet.cli.policy_table import verdictText
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import isBetter
from kernelnet.learning.recommendation import recommend
from kernelnet.learning.submission import Measurement, makeComponent
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import ComponentError
from kernelnet.workbench.variants import VariantScenario

__all__ = ["Member", "asClaimed", "asItIs", "claimSteps", "measuredAs"]


@dataclass(frozen=True)
class Member:
    """A C file, compiled."""

    path: Path
    source: str
    wasm: bytes


def claimSteps(scenario: IScenario, member: Member | None) -> int:
    """Number of times that `asClaimed` says that it has measured something."""
    if member is None:
        return steps(scenario)
    variants = getattr(scenario, "variants", 1)
    return 1 + steps(scenario) * (variants if isinstance(variants, int) else 1)


def asClaimed(scenario: IScenario, member: Member | None, measured: Callable[[], object]) -> Standing:
    """
    Worker thread.  A component on what its claim is measured on; without one the hand-made policies on the trace.

    @param measured: called after each measurement.
    @raise click.ClickException: it fails.
    """
    if member is None:
        found = standing(scenario, (), measured, sure=True, costs=True)
        found.verdict = verdictText(found, recommend(scenario))
        return found
    try:
        # First: what fails is told before the rest is measured.
        met = scenario.forModule(member.wasm)
        ours = measuredAs(met, member)
    except ComponentError as error:
        raise failing(scenario, member.path, error) from None
    measured()
    found = standing(met, [ours], measured, sure=True, costs=True, drawnBy=ours.name)
    # By the guard: what that would refuse, as luck or worse, is not what to use.
    if isBetter(met, member.wasm)[0]:
        component = makeComponent(met, Candidate(member.source), Measurement(member.wasm, ours.abi, ours.report))
        component.id = plain(ours.name)
        found.verdict = verdictText(found, recommend(met, component))
    else:
        found.verdict = verdictText(found, recommend(met))
    return found


def asItIs(scenario: IScenario, members: Sequence[Member], measured: Callable[[], object], *, costs: bool) -> Standing:
    """
    Worker thread.  Several components on the trace as it is, where they can be compared with each other.

    @raise click.ClickException: one of them fails.
    """
    found = []
    for member in members:
        try:
            found.append(measuredAs(scenario, member))
        except ComponentError as error:
            raise failing(scenario, member.path, error) from None
        measured()
    return standing(scenario, found, measured, costs=costs)


def measuredAs(scenario: IScenario, member: Member) -> MeasuredComponent:
    """
    A component on a scenario, be it as it is or as the component meets it.

    @raise ComponentError: it fails.
    """
    report = scenario.measure(member.wasm)
    levels = scenario.levels(member.wasm) if isinstance(scenario, VariantScenario) else []
    abi = scenario.workbench.abiOf(member.wasm).identifier
    return MeasuredComponent(
        member.path.name, report, abi, str(member.path), note=abi, wasm=member.wasm, variantLevels=levels
    )
