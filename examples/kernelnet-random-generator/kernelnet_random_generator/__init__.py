"""
A generator for kernelnet, as small as a useful one can be.

It imports nothing that is not in kernelnet's base package, so that `kernelnet generators` can list it anywhere.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.generators import Candidate
from kernelnet.interfaces import IComponentGenerator
from kernelnet.workbench.errors import ComponentError

TEMPLATE = Path(__file__).with_name("policy.c")


def source(insertFirstEvery: int, moveEvery: int) -> str:
    """The policy with these constants."""
    text = TEMPLATE.read_text(encoding="utf-8")
    return text.replace("@INSERT_FIRST_EVERY@", str(insertFirstEvery)).replace("@MOVE_EVERY@", str(moveEvery))


@implementer(IPlugin, IComponentGenerator)
class RandomGenerator:
    """Tries random constants until the time is over."""

    name = "random"
    description = "an example: bimodal insertion with constants chosen at random"
    workbenches = ("file_system",)

    def generate(self, problem: Any) -> Candidate | None:
        rng = random.Random(problem.seed)
        limit = problem.requirements.get("evaluations", 1000)
        best: tuple[int, int, int] | None = None
        for number in range(limit):
            # A compilation takes about 0.1 s.
            if problem.secondsLeft() < 0.5:
                break
            constants = round(2 ** rng.uniform(0, 12)), rng.randint(1, 4)
            try:
                score = problem.measure(problem.compile(source(*constants))).score
            except ComponentError:
                continue
            if best is None or score < best[0]:
                best = (score, *constants)
            problem.progress(number, best[0])
        if best is None:
            return None
        _, *constants_ = best
        note = f"bimodal insertion: first in the list every {constants_[0]}, moved every {constants_[1]}"
        return Candidate(source(*constants_), parameters=tuple(map(float, constants_)), note=note)


generator = RandomGenerator()
