"""
Methods that were renamed, of scenarios whose authors still call them by their former names.

C{steady} became `IScenario.isRobust`, and C{hardlyDifferent} became `BaseScenario.perturbedTrace`.  Of both names the
one counts that is defined nearest to the scenario's own class: a subclass that overrides the former name means it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario

__all__ = ["isRobust", "perturbedTrace"]


def isRobust(scenario: IScenario, wasm: bytes, report: Report) -> bool:
    """Worker thread.  See `IScenario.isRobust`."""
    return bool(_nearest(scenario, "isRobust", "steady")(wasm, report))


def perturbedTrace(scenario: IScenario, wasm: bytes) -> Any:
    """Worker thread.  See `BaseScenario.perturbedTrace`."""
    return _nearest(scenario, "perturbedTrace", "hardlyDifferent")(wasm)


def _nearest(scenario: object, name: str, former: str) -> Callable[..., Any]:
    for kind in type(scenario).__mro__:
        for each in (name, former):
            if each in vars(kind):
                found: Callable[..., Any] = getattr(scenario, each)
                return found
    # such as what passes everything on to another scenario
    method: Callable[..., Any] = getattr(scenario, name, None) or getattr(scenario, former)
    return method
