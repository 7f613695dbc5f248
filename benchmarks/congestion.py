"""
What a search of so many seconds reaches on links that it has not seen.

All links (the bench's own, and those of a folder) are dealt into so many folds by their names; for each fold a search
trains on the links of all others at once, on the train halves of their first halves, and is guarded on their
validation parts by the code that a trainer calls.  Then it is measured on the fold's own links, whole: nothing of them
was seen.  What was not accepted counts as the hand-made policy that is best on train, which the guard falls back to.

For each link: what is lost a second (thousandths of log2 of throughput over delay, beside the omniscient sender, who
loses 0) by Reno, by the hand-made policy that is best on the training links, by the one that is best on this link in
hindsight, and by what was found; and the share of the second's distance to the omniscient sender that the last closes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from kernelnet.generators.search import Search
from kernelnet.message import Report
from kernelnet.workbench.acceptance import accept, bestByHand
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench
from kernelnet.workbench.problem import Problem
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Congestion control learned on several links, on links not seen.")
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces" / "network_stack"
    parser.add_argument("--traces", type=Path, default=beside, help="a folder of mahimahi traces, besides our own")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the search of each fold")
    parser.add_argument("--evaluations", type=int, help="measurements in each fold, instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the bench")
    options = parser.parse_args()

    settings = {name: int(value) for name, value in (each.split("=") for each in options.set)}
    folder = sorted(options.traces.iterdir()) if options.traces.is_dir() else []
    links = [workbench.scenario(path, settings) for path in [*workbench.traces(), *folder]]
    links.sort(key=lambda link: link.trace)
    better, closed = 0, []
    for fold in range(options.folds):
        unseen = links[fold :: options.folds]
        suite = Suite([link for link in links if link not in unseen])
        hand = bestByHand(suite)
        seconds = options.seconds if options.evaluations is None else 1e6
        problem = Counted(suite, seed=options.seed, seconds=seconds)
        began = time.monotonic()
        candidate = Search(options.evaluations).generate(problem)
        took = time.monotonic() - began
        assert candidate is not None
        component, reason = accept(suite, candidate, generator="search", seed=options.seed)
        wasm = compileC(candidate.source, workbench.headerPath, trusted=True)
        print(f"\ntrained on {', '.join(part.trace for part in suite.parts)}")
        print(f"{problem.evaluations} evaluations in {took:.0f} s; {candidate.note}")
        print(f"{'accepted' if component else 'fallback'}: {reason}")
        print(f"held-out of these: {hand} {suite.developmentLevel(suite.baselines()[hand]):.3f} of reno -> omniscient")
        print(f"                   found {suite.developmentLevel(suite.measure(wasm)):.3f}")
        print(
            f"{'unseen link':22} {'reno':>6} {'by hand, on train':>18} {'in hindsight':>14} {'found':>6} {'closed':>7}"
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
                f" {perSecond(report):6.0f} {closed[-1]:7.3f}  utilisation {held['utilisation_permille'] / 10:.0f} %,"
                f" rtt {held['mean_rtt_ms']} ms (95 %: {held['p95_rtt_ms']})",
                flush=True,
            )
    print(
        f"\nbetter than the best hand-made chosen on train on {better} of {len(links)} unseen links; of its distance to"
        f" the omniscient sender {statistics.fmean(closed):.3f} is closed in the mean"
    )


if __name__ == "__main__":
    main()
