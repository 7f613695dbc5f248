"""
What a search of so many seconds reaches on links that it has not seen.

All links (the bench's own, and those of a folder) are dealt into so many folds by their names; for each fold a search
trains on the train parts of all links of the other folds at once, and is guarded on their validation parts by the code
that a trainer calls.  Each link is there at several round trips: what does well at all of them is no specialist of one
product of rate and delay.  Then it is measured on the fold's own links, whole, at the default round trip: nothing of
them was seen.  What was not accepted counts as the hand-made policy chosen on train.

The search begins with expressions that are known to be good (`Abi.known`); the one of them that is best on train is in
a column of its own, so that what the search itself adds is seen.

For each link: what is lost a second (thousandths of log2 of throughput over delay, beside the omniscient sender, who
loses 0) by Reno, by the hand-made policy chosen on the training links, by the one that is best on this link in
hindsight, and by what was found; and the share of the second's distance to the omniscient sender that the last closes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from kernelnet.artifacts import Report
from kernelnet.expressions.syntax import parse, toC
from kernelnet.generators.search import Search
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import NetworkStackWorkbench, workbench
from kernelnet.workbench.suite import Suite


class Counted(Problem):
    """A problem that counts."""

    evaluations = 0

    def measureWindows(self, *arguments: Any, **options: Any) -> Any:
        self.evaluations += 1
        return super().measureWindows(*arguments, **options)


def perSecond(report: Report) -> float:
    """Over all splits."""
    return sum(s.score for s in report.splits.values()) / sum(s.events for s in report.splits.values())


def knownBest(suite: Suite) -> bytes:
    """Of the expressions that a search begins with, the best on train, compiled."""
    abi = next(abi for abi in workbench.abis if abi.function)
    trees = [parse(expression, abi.features) for expression in abi.known]
    modules = [
        compileC(toC(tree, abi, workbench.headerPath.name), workbench.headerPath, trusted=True) for tree in trees
    ]
    return min(modules, key=lambda wasm: suite.measure(wasm, upTo="train").splits["train"].score)


def main() -> None:
    parser = argparse.ArgumentParser(description="Congestion control learned on several links, on links not seen.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "network_stack"
    parser.add_argument("--traces", type=Path, default=beside, help="a folder of mahimahi traces, besides our own")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the search of each fold")
    parser.add_argument("--evaluations", type=int, help="measurements in each fold, instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the bench")
    parser.add_argument("--rtt", type=int, nargs="*", default=[10, 40, 160], help="round trips to train at, ms")
    options = parser.parse_args()

    settings = {name: int(value) for name, value in (each.split("=") for each in options.set)}
    folder = sorted(options.traces.iterdir()) if options.traces.is_dir() else []
    # A bench of its own for each link: the plugin's keeps few traces in memory.
    links = [(NetworkStackWorkbench(), path) for path in sorted([*workbench.traces(), *folder], key=lambda p: p.name)]
    better, closed = 0, []
    for fold in range(options.folds):
        unseen = [bench.scenario(path, settings) for bench, path in links[fold :: options.folds]]
        seen = [link for at, link in enumerate(links) if at % options.folds != fold]
        suite = Suite(
            [bench.scenario(path, {**settings, "rtt_ms": rtt}) for bench, path in seen for rtt in options.rtt]
        )
        hand, known = chosenOnTrain(suite), knownBest(suite)
        seconds = options.seconds if options.evaluations is None else 1e6
        problem = Counted(suite, seed=options.seed, seconds=seconds)
        began = time.monotonic()
        candidate = Search(options.evaluations).generate(problem)
        took = time.monotonic() - began
        assert candidate is not None
        component, reason = accept(suite, candidate, generator="search", seed=options.seed)
        wasm = compileC(candidate.source, workbench.headerPath, trusted=True)
        names = sorted({part.trace for part in suite.parts})
        print(f"\ntrained on {', '.join(names)} at {', '.join(map(str, options.rtt))} ms")
        print(f"{problem.evaluations} evaluations in {took:.0f} s; {candidate.note}")
        print(f"{'accepted' if component else 'fallback'}: {reason}")
        print(f"held-out of these: {hand} {suite.developmentLevel(suite.baselines()[hand]):.3f} of reno -> omniscient")
        print(f"                   known {suite.developmentLevel(suite.measure(known)):.3f}")
        print(f"                   found {suite.developmentLevel(suite.measure(wasm)):.3f}")
        print(
            f"{'unseen link':22} {'reno':>6} {'chosen on train':>18} {'in hindsight':>14} {'known':>6} {'found':>6}"
            f" {'closed':>7}"
        )
        for link in unseen:
            by = {name: perSecond(report) for name, report in link.baselines().items()}
            best = min(by, key=lambda name: by[name])
            report = link.measure(wasm)
            ours = perSecond(report) if component else by[hand]
            better += ours < by[hand]
            closed.append(1 - ours / by[hand])
            held = report.splits["held_out"].metrics
            print(
                f"{link.trace[:22]:22} {by['reno']:6.0f} {hand:>11} {by[hand]:6.0f} {best:>7} {by[best]:6.0f}"
                f" {perSecond(link.measure(known)):6.0f} {perSecond(report):6.0f} {closed[-1]:7.3f} "
                f" utilisation {held['utilisation_permille'] / 10:.0f} %, rtt {held['mean_rtt_ms']} ms"
                f" (95 %: {held['p95_rtt_ms']})",
                flush=True,
            )
    print(
        f"\nbetter than the hand-made one chosen on train on {better} of {len(links)} unseen links; of its distance to"
        f" the omniscient sender {statistics.fmean(closed):.3f} is closed in the mean"
    )


if __name__ == "__main__":
    main()
