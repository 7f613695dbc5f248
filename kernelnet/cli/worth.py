"""Whether a trace is worth a search: told before the time is spent."""

from __future__ import annotations

from kernelnet.interfaces import IScenario

__all__ = ["nothingToLearn", "reuseText"]

LEAST_REUSE = 0.05
"""Share of a trace's requests below which hits don't matter: whatever a cache keeps, 95 of 100 requests miss."""

LEAST_GAP = 0.01
"""The same for the distance from the reference to the optimum, as a share of the reference's score."""


def reuseText(requests: int, distinct: int) -> str:
    """Words for a trace in which hardly anything is requested again; empty: something is."""
    again = requests - distinct
    if again >= LEAST_REUSE * requests:
        return ""
    return f"hardly any reuse, nothing to learn: of {requests} requests {again} are for what was requested before"


def nothingToLearn(scenario: IScenario) -> str:
    """Worker thread.  Words for a task on which nobody could be much better; empty: somebody could."""
    trace = getattr(getattr(scenario, "machine", None), "trace", None)
    distinct = getattr(trace, "distinct", None)
    if isinstance(distinct, int) and (words := reuseText(sum(scenario.events.values()), distinct)):
        return words
    reference, optimum = scenario.reference().splits["train"].score, scenario.optimum()["train"]
    if getattr(scenario, "parts", None) or reference - optimum >= LEAST_GAP * reference:
        return ""
    bench = scenario.workbench
    return (
        f"hardly anything to gain, nothing to learn: {bench.optimumName} ({optimum} {bench.unit} on train) is no better"
        f" than {bench.reference} ({reference}) by {LEAST_GAP:.0%}"
    )
