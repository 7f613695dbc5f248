"""
Whether expressions of another bench help genetic programming: file_system and process_manager, each with the other's.

Donors are searched first, on each task of a bench that ships, by genetic programming alone.  Then each task is searched
without hints, with the other bench's donors translated through the terms that both share, with these and their
negations, as trainers have them, and, as a control, with the same expressions over features drawn at random: so many
more seeds might help whatever they say.  Told is, after so many evaluations, the share of the distance reference →
optimum on held-out data of what is best on train, and how often it is above or below that of the same seed without
hints.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kernelnet.artifacts import CodeBlock
from kernelnet.expressions.syntax import fromSource, parse, parts, text
from kernelnet.expressions.translation import translations
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.evolution.search_family import Metered
from kernelnet.generators.genetic_programming import GeneticFamily
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.problem import Problem
from kernelnet.plugins import find
from kernelnet.workbench.abi import rankAbiOf

CHECKPOINTS = (50, 100, 200)
KINDS = ("alone", "one sign", "both signs", "at random")


def tasks(bench: Any) -> list[Any]:
    return [bench.scenario(path, settings) for path in bench.traces() for settings in bench.tasks(path)]


def rank(bench: Any) -> Any:
    return next(abi for abi in bench.abis if abi.function)


def searched(scenario: Any, seed: int, hints: list[str], checkpoints: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    """At each checkpoint the best on train: its expression, and its level on held-out."""
    blocks = [
        CodeBlock(str(number), f"{scenario.workbench.name}/translated", {"expression": hint})
        for number, hint in enumerate(hints)
    ]
    problem = Problem(scenario, seed=seed, seconds=1e9, blocks=blocks)
    metered = Metered(problem, checkpoints[-1])
    family, abi = GeneticFamily(), rankAbiOf(problem)
    assert abi is not None
    family.start(metered, random.Random(seed))
    for checkpoint in checkpoints:
        while metered.evaluations < checkpoint:
            family.step()()
        candidate = family.found(1)[0].candidate
        tree = fromSource(candidate.source, abi.features)
        assert tree is not None
        yield text(tree), scenario.developmentLevel(scenario.measure(toWasm(tree, abi)))
    metered.close()


def scrambled(expression: str, theirs: Any, ours: Any, rng: random.Random) -> list[str]:
    """The same parts as `translations` keeps, over features drawn at random instead of their counterparts."""
    found = []
    for part in translations(expression, theirs, ours):
        tree = parse(part, ours.features)
        drawn = {name: rng.choice(ours.features) for name in parts(tree) if isinstance(name, str)}

        def renamed(node: Any, drawn: dict[str, str] = drawn) -> Any:
            if isinstance(node, tuple):
                return (node[0], *map(renamed, node[1:]))
            return drawn.get(node, node)

        found.append(text(renamed(tree)))
    return found


def negated(expression: str, theirs: Any, ours: Any) -> list[str]:
    return [f"-({part})" for part in translations(expression, theirs, ours)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Genetic programming with and without hints from another bench.")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()

    benches = [find(IWorkbench, name, "workbench") for name in ("file_system", "process_manager")]
    levels: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for seed in range(options.seeds):
        donors = {}
        for bench in benches:
            donors[bench.name] = [
                [expression for expression, _ in searched(scenario, 1000 + seed, [], CHECKPOINTS[-1:])][-1]
                for scenario in tasks(bench)
            ]
        for bench, other in (benches, benches[::-1]):
            theirs, ours, rng = rank(other), rank(bench), random.Random(seed)
            hints: dict[str, list[str]] = {kind: [] for kind in KINDS}
            for expression in donors[other.name]:
                hints["one sign"] += translations(expression, theirs, ours)
                hints["both signs"] += [*translations(expression, theirs, ours), *negated(expression, theirs, ours)]
                hints["at random"] += scrambled(expression, theirs, ours, rng)
            print(f"{other.name} gives {bench.name}: {'; '.join(hints['one sign'])}", flush=True)
            for scenario in tasks(bench):
                for kind in KINDS:
                    found = list(searched(scenario, seed, hints[kind], CHECKPOINTS))
                    for checkpoint, (_, level) in zip(CHECKPOINTS, found, strict=True):
                        levels[bench.name, kind, checkpoint].append(level)
                    told = " ".join(f"{level:.3f}" for _, level in found)
                    print(f"  {scenario.trace} {next(iter(scenario.settings.values()))} {kind}: {told}", flush=True)
    print(f"{'':36}" + "".join(f"{checkpoint:>16}" for checkpoint in CHECKPOINTS))
    for bench in benches:
        for kind in KINDS:
            cells = ""
            for checkpoint in CHECKPOINTS:
                mine, alone = levels[bench.name, kind, checkpoint], levels[bench.name, "alone", checkpoint]
                better = sum(a > b for a, b in zip(mine, alone, strict=True))
                worse = sum(a < b for a, b in zip(mine, alone, strict=True))
                cells += f"{statistics.fmean(mine):8.3f} +{better:<3}-{worse:<3}"
            print(f"{bench.name:16} {kind:12} ({len(mine)}){cells}")


if __name__ == "__main__":
    main()
