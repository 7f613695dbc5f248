"""
Variants of a trace: what a claim is measured on, so that nothing can be learned by heart.

A public trace is known to whoever writes a component: he could build into it which slot is best at which request.  So
a module is never measured on the trace as it is, but on a few variants of it, in which something is missing here and
there; what, follows from the module's own digest, so that nobody knows it before the module is done.  Hand-made
policies and the optimum are measured on the same variants, under the same keys: what is easy for one is easy for all.
A few rather than one, since a policy with hash tables of its own has luck with its keys, and any has luck with what is
missing: who tries many modules keeps the luckiest.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from zope.interface import implementer

from kernelnet.artifacts import Pattern, Report, SplitScore
from kernelnet.interfaces import IScenario
from kernelnet.workbench.reports import added, levelOf, reportOf

if TYPE_CHECKING:
    from kernelnet.workbench.machine import Machine

__all__ = ["KeptVariants", "VariantScenario", "variantLevels"]

_KEPT = 2 * 16
"""Scenarios as modules meet them, such as those of a suite of 16; together of at most so many events."""

_KEPT_EVENTS = 32_000_000

T = TypeVar("T")

_Key = tuple[str, tuple[tuple[str, int], ...], bytes]
"""Digest of a trace, settings, and digest of a module."""


@implementer(IScenario)
class VariantScenario:
    """
    See `IScenario`: a scenario as one module meets it.  Every number is the sum over the variants.

    @ivar plain: the scenario itself; C{variants}: it on each variant of its trace.
    """

    def __init__(self, plain: IScenario, variants: Sequence[IScenario]) -> None:
        self.plain, self.variants = plain, list(variants)
        self.workbench = plain.workbench
        self.trace, self.traceDigest = plain.trace, plain.traceDigest
        self.settings = dict(plain.settings)
        self.events = {split: sum(each.events[split] for each in self.variants) for split in plain.events}

    def __repr__(self) -> str:
        return f"<VariantScenario {self.plain}, {len(self.variants)} variants>"

    @property
    def engine(self) -> str:
        return self.plain.engine

    def forModule(self, wasm: bytes) -> IScenario:
        """The same scenario, whichever module is measured on it."""
        return self

    def measure(
        self, wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """See `IScenario.measure`; C{fuel} is for each variant."""
        return self._sum(self.each(lambda it: it.measure(wasm, upTo=upTo, fuel=fuel, parameters=parameters)))

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """See `IScenario.measureWindows`; the n-th windows of all variants are about the same part of the trace."""
        each = self.each(lambda it: it.measureWindows(wasm, split, count, parameters))
        return [added(windows) for windows in zip(*each, strict=False)]

    def baselines(self) -> Mapping[str, Report]:
        each = self.each(lambda it: it.baselines())
        return {name: self._sum([reports[name] for reports in each]) for name in each[0]}

    def baseline(self, name: str) -> Report:
        """One of C{baselines}: nothing else is measured."""
        return self._sum(self.each(lambda it: it.baseline(name)))

    def reference(self) -> Report:
        return self._sum(self.each(lambda it: it.reference()))

    def optimum(self) -> Mapping[str, int]:
        each = self.each(lambda it: it.optimum())
        return {split: sum(optimum[split] for optimum in each) for split in each[0]}

    def developmentLevel(self, report: Report, split: str = "held_out") -> float:
        """See `IScenario.developmentLevel`; 0 where the reference is already optimal."""
        return levelOf(self, report.splits[split].score, split)

    def levels(self, wasm: bytes, split: str = "held_out") -> list[float]:
        """Worker thread.  A module's level on each of the variants: their spread is what luck may do."""
        return self.each(lambda it: it.developmentLevel(it.measure(wasm, upTo=split), split))

    def patterns(self) -> list[Pattern]:
        return self.plain.patterns()

    def first(self, count: int) -> VariantScenario:
        """The same on its first variants alone."""
        return VariantScenario(self.plain, self.variants[:count])

    def each(self, function: Callable[[IScenario], T], start: int = 0, end: int | None = None) -> list[T]:
        """
        Results of a function for each variant; none keeps the memory that it ran in.

        @param start: number of the first one, from 0; C{end}: of the one behind the last.
        """
        results = []
        for variant in self.variants[start:end]:
            results.append(function(variant))
            machine = getattr(variant, "machine", None)
            if machine is not None:
                machine.close()
        return results

    def _sum(self, reports: Sequence[Report]) -> Report:
        splits = {name: added([each.splits[name] for each in reports]) for name in reports[0].splits}
        return reportOf(self, splits)


class KeptVariants:
    """
    Variants of the last few modules, as a claim is looked at more than once; for any number of threads.

    A variant is the same whatever the settings, and so is its machine: else a stranger's claim about sixteen sizes of a
    large trace would take sixteen times the memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scenarios: OrderedDict[_Key, VariantScenario] = OrderedDict()
        self._machines: weakref.WeakValueDictionary[bytes, Machine] = weakref.WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._scenarios)

    def scenario(self, key: _Key, make: Callable[[], Sequence[IScenario]], plain: IScenario) -> VariantScenario:
        """Worker thread.  A scenario as a module meets it, of what C{make} returns if it isn't kept."""
        with self._lock:
            if key in self._scenarios:
                self._scenarios.move_to_end(key)
                return self._scenarios[key]
        made = VariantScenario(plain, make())
        with self._lock:
            made = self._scenarios.setdefault(key, made)
            while len(self) > 1 and (len(self) > _KEPT or self.events() > _KEPT_EVENTS):
                self._scenarios.popitem(last=False)
        return made

    def machine(self, seed: bytes, make: Callable[[], Machine]) -> Machine:
        """Worker thread.  Machine of the variant of a seed, the same one as long as anybody needs it."""
        with self._lock:
            known = self._machines.get(seed)
        if known is not None:
            return known
        made = make()
        with self._lock:
            return self._machines.setdefault(seed, made)

    def events(self) -> int:
        """Events of all variants that are kept."""
        kept = {(trace, module): each.events for (trace, _, module), each in self._scenarios.items()}
        return sum(sum(events.values()) for events in kept.values())


def variantLevels(scenario: IScenario, wasm: bytes, split: str = "held_out") -> list[float]:
    """
    Worker thread.  A module's development level on each of the variants that its claim is measured on.

    @return: empty, if the scenario has no variants.
    @raise ComponentError: the module fails.
    """
    measured = scenario.forModule(wasm)
    return measured.levels(wasm, split) if isinstance(measured, VariantScenario) else []
