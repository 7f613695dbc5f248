"""
Templates: C sources with numbers in them, which make them one policy or another; their ranges, and how they get in.

A template's C text has a line C{#define NAME value} for each parameter, between the comments C{begin parameters} and
C{end parameters}; what stands there is replaced.  What is published says of each its range and meaning, so that
`kernelnet.generators.templates.marked_source` can make a template of it again.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate, Component
from kernelnet.families import BEGIN, END, Family, familyOf, numbersOf
from kernelnet.generators.evolution.pattern_seeds import Numbers
from kernelnet.interfaces import IProblem, ITemplate
from kernelnet.untrusted import finite
from kernelnet.workbench.abi import Abi

__all__ = ["Parameter", "Template", "Vector", "knownSettings"]

Vector = tuple[float, ...]
"""One value for each parameter of a template."""


@dataclass(frozen=True)
class Parameter:
    """
    @ivar name: the constant in the C source.
    @ivar whole: it takes whole numbers only.
    @ivar zero: it switches something off when it is 0, which is worth trying often.
    @ivar meaning: for the published source.
    @ivar log: values are drawn evenly by their logarithms; C{least} is above 0, or 0 where C{zero}.
    """

    name: str
    least: float
    most: float
    whole: bool
    zero: bool
    meaning: str
    log: bool = False

    def normalized(self, value: float) -> float:
        """The nearest value that it takes; four decimals, or digits, are more than any trace can tell apart."""
        if self.log and not self.whole:
            value = float(f"{value:.4g}")
        value = min(self.most, max(self.least, value))
        return float(round(value)) if self.whole else value if self.log else round(value, 4)

    def any(self, rng: random.Random) -> float:
        """A random value."""
        if self.log:
            if self.zero and rng.random() < 0.5:
                return 0.0
            least = math.log(self.least or self.most * 1e-4)
            return self.normalized(math.exp(rng.uniform(least, math.log(self.most))))
        if self.whole:
            return float(rng.randint(int(self.least), int(self.most)))
        if self.zero and rng.random() < 0.5:
            return 0.0
        return self.normalized(rng.uniform(self.least, self.most))

    def near(self, value: float, rng: random.Random) -> float:
        """A random value, mostly near C{value}."""
        if (self.whole and not self.log) or (self.zero and rng.random() < 0.3) or value == 0 or rng.random() < 0.2:
            return 0.0 if self.zero and value and not self.whole else self.any(rng)
        return self.normalized(value * 2 ** rng.gauss(0, rng.choice((0.1, 0.7))))

    def definition(self, value: float) -> str:
        """The line of C that builds a value in, with its range and meaning in a comment."""
        number = str(int(value)) if self.whole else repr(float(value))
        flags = "".join(f" {word}" for word in ("whole", "log", "zero") if getattr(self, word))
        return f"#define {self.name} {number} /* {self.least:.10g}..{self.most:.10g}{flags}: {self.meaning} */\n"


def _nothing(kind: str, number: Numbers) -> Iterator[Sequence[float]]:
    return iter(())


@implementer(IPlugin, ITemplate)
@dataclass(frozen=True)
class Template:
    """
    A C source with parameters, and all that its author tells of it; a plugin of the default search.

    @ivar name: of the family.
    @ivar workbench: what it is for.
    @ivar text: its C source.
    @ivar parameters: in the order of a vector's values.
    @ivar known: vectors to begin with.
    @ivar summary: says in a line what the values, by their parameters' names, make of it.
    @ivar suggested: what the kind and the numbers of a pattern make worth trying; see
        `kernelnet.generators.evolution.pattern_seeds`.
    @ivar blockTypes: the C{type} of `kernelnet.artifacts.CodeBlock`s whose data is C{{"parameters": […]}} of this one.
    @ivar abi: identifier of the ABI that it is written for; empty: the bench has but one of that kind.
    @ivar islands, population, offspring: see `IslandFamily`; where a measurement takes long, few are best.
    """

    name: str
    workbench: str
    text: str
    parameters: tuple[Parameter, ...]
    known: tuple[Vector, ...]
    summary: Callable[[Mapping[str, float]], str]
    suggested: Callable[[str, Numbers], Iterator[Sequence[float]]] = _nothing
    blockTypes: frozenset[str] = field(default_factory=frozenset)
    abi: str = ""
    islands: int = 2
    population: int = 40
    offspring: int = 20

    @property
    def description(self) -> str:
        """One line for people."""
        return f"a family of policies for {self.workbench}, with {len(self.parameters)} numbers"

    def fits(self, problem: IProblem) -> bool:
        """Whether it makes components for a problem."""
        return self.isFor(problem.workbench, problem.abis)

    def isFor(self, workbench: str, abis: Sequence[Abi]) -> bool:
        """The same for all problems of a workbench with these ABIs."""
        return workbench == self.workbench and (not self.abi or self.abi in {each.identifier for each in abis})

    @functools.cached_property
    def family(self) -> Family | None:
        """Family of all that is made of it."""
        return familyOf(self.bake(self.known[0]))

    def normalized(self, values: Sequence[float]) -> Vector:
        """The nearest vector within the ranges."""
        return tuple(p.normalized(value) for p, value in zip(self.parameters, values, strict=True))

    def vector(self, numbers: object) -> Vector | None:
        """A stranger's numbers as a vector of this template, if they are one."""
        if not isinstance(numbers, list | tuple) or len(numbers) != len(self.parameters):
            return None
        found = [finite(number) for number in numbers]
        return None if None in found else self.normalized([number or 0.0 for number in found])

    def vectorOf(self, component: Component) -> Vector | None:
        """Numbers that a component's source marks, if they have this template's names; its manifest may say others."""
        family = familyOf(component.implementation)
        if family is None or [each.name for each in family.parameters] != [each.name for each in self.parameters]:
            return None
        return self.vector(numbersOf(component.implementation))

    def bake(self, vector: Sequence[float]) -> str:
        """The C source with the parameters built in, as it is published."""
        lines = [parameter.definition(value) for parameter, value in zip(self.parameters, vector, strict=True)]
        return self._source(f"{BEGIN} */\n{''.join(lines)}{END}")

    def tunable(self) -> str:
        """The C source that takes the parameters through C{kn_param}, so that a search compiles only once."""
        count = len(self.parameters)
        lines = [f"static f64 parameter[{count}];\n"]
        for index, parameter in enumerate(self.parameters):
            # whole as where it is built in: a division by it, for one, must be of the same kind
            number = f"((i32)parameter[{index}])" if parameter.whole else f"parameter[{index}]"
            lines.append(f"#define {parameter.name} {number}\n")
        lines.append(
            f"\nvoid kn_param(u32 index, f64 value) {{\n    if (index < {count}) parameter[index] = value;\n}}\n"
        )
        return self._source("".join(lines))

    def describe(self, vector: Vector) -> str:
        """One line for people."""
        return self.summary(dict(zip((parameter.name for parameter in self.parameters), vector, strict=True)))

    def _source(self, parameters: str) -> str:
        text = self.text
        return text[: text.index(BEGIN)] + parameters + text[text.index(END) + len(END) :]


def knownSettings(template: Template) -> list[tuple[str | bytes, Candidate]]:
    """A template's known vectors; see `kernelnet.interfaces.IKnowingGenerator`."""
    tunable = template.tunable()
    vectors = map(template.normalized, template.known)
    return [(tunable, Candidate(template.bake(v), (), v, template.describe(v))) for v in vectors]
