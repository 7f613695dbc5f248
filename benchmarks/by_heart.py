"""
What it helps to know a link, a log or a data set by heart, on itself and on the variants on which claims are measured.

As C{memorisers.py} does for page caches: each component is made of the trace itself, held-out part included; see
C{tests/workbench/*_memorisers.py}.  The gain is in the development level on held-out, beside what it falls back to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Table

from kernelnet.interfaces import IScenario
from kernelnet.workbench import audio, network_stack, process_manager, security, window_manager
from kernelnet.workbench.security.trace import Trace
from tests.workbench import audio_memorisers as calls
from tests.workbench import network_stack_memorisers as links
from tests.workbench import process_manager_memorisers as logs
from tests.workbench import security_memorisers as sequences
from tests.workbench import window_manager_memorisers as pointers

SIZES = {"1 KB": 1 << 10, "16 KB": 16 << 10, "64 KB": 54 << 10}
VEGAS = "cwnd * (least - minrtt) < 3.0 * least ? cwnd + kn_aq(2.0, cwnd) : cwnd - kn_aq(2.0, cwnd)"
RANK = "rare3 + markov2"

Kinds = Mapping[str, tuple[Callable[[int], bytes], bytes]]
"""By what it knows: how it is made with a table of so many bytes, and what it falls back to."""


def _links(path: Path) -> tuple[IScenario, Kinds]:
    scenario = network_stack.workbench.scenario(path)
    trace = scenario.machine.trace
    best = min(scenario.baselines().items(), key=lambda item: item[1].splits["held_out"].score)[0]
    own = network_stack.workbench.baselineModule(best)
    return scenario, {
        f"rate by time ({best})": (lambda size: links.byTime(trace, size, best), own),
        "the same, once it is sure": (lambda size: links.byTime(trace, size, best, doubt=0.5), own),
        "place found by the last 0.8 s": (lambda size: links.byPlace(trace, size, best, around=4000, near=0.15), own),
        "rate by time (rank)": (lambda size: links.rankByTime(trace, size, VEGAS), links.rankOf(VEGAS)),
    }


def _calls(path: Path) -> tuple[IScenario, Kinds]:
    scenario = audio.workbench.scenario(path)
    trace, base, rank = scenario.machine.trace, "nlms_tuned", "last + 20.0 * dev"
    own = audio.workbench.baselineModule(base)
    return scenario, {
        f"transits by number ({base})": (lambda size: calls.byCount(trace, size, base), own),
        "the same, once it is sure": (lambda size: calls.byCount(trace, size, base, doubt=0.5), own),
        "place found by the last 3 s": (
            lambda size: calls.byPlace(trace, size, base, seen=30, around=500, near=0.2, zooms=1, trusted=1000),
            own,
        ),
        "transits by number (rank)": (lambda size: calls.rankByCount(trace, size, rank), calls.rankOf(rank)),
    }


def _logs(path: Path) -> tuple[IScenario, Kinds]:
    scenario = process_manager.workbench.scenario(path)
    trace, settings = scenario.machine.trace, scenario.settings
    load = scenario.machine.arrivals(settings["cpus"], settings["load_permille"]).tolist()
    own, index, bound = process_manager.workbench.baselineModule("las"), logs.rankOf("gittins"), settings["bound_us"]
    return scenario, {
        "number of the task (las)": (lambda size: logs.byNumber(trace, size), own),
        "times between the last arrivals": (lambda size: logs.byGap(trace, size, load), own),
        "number of the task of its key": (lambda size: logs.byKey(trace, size), own),
        "number of the task (rank)": (lambda size: logs.rankByNumber(trace, size, bound), index),
        "past of the key, to the bit (rank)": (lambda size: logs.byPast(trace, size, bound), index),
        "the same, roughly": (lambda size: logs.byPast(trace, size, bound, coarse=True), index),
    }


def _byFingerprint(trace: Trace, kind: str, size: int) -> bytes:
    return sequences.byFingerprint(trace, size, "stide", kind)


def _byFeatures(trace: Trace, steps: int, size: int) -> bytes:
    return sequences.byFeatures(trace, size, RANK, steps)


def _sequences(path: Path) -> tuple[IScenario, Kinds]:
    scenario = security.workbench.scenario(path)
    trace, own, rank = scenario.machine.trace, security.workbench.baselineModule("stide"), sequences.rankOf(RANK)
    kinds: dict[str, tuple[Callable[[int], bytes], bytes]] = {}
    for kind in sequences.FINGERPRINTS:
        kinds[f"{kind} (stide)"] = (partial(_byFingerprint, trace, kind), own)
    kinds["nearest, by its commonest calls"] = (lambda size: sequences.byProfile(trace, size, "stide"), own)
    for steps, words in ((0, "to the bit"), (4, "to a quarter of an octave"), (1, "to an octave")):
        kinds[f"features {words} (rank)"] = (partial(_byFeatures, trace, steps), rank)
    kinds["nearest, by features (rank)"] = (lambda size: sequences.nearest(trace, size, RANK), rank)
    return scenario, kinds


def _pointers(path: Path) -> tuple[IScenario, Kinds]:
    scenario = window_manager.workbench.scenario(path)
    trace, own = scenario.machine.trace, pointers.fallback()
    return scenario, {
        "number of the sample": (lambda size: pointers.byCount(trace, size), own),
        "the last three movements": (lambda size: pointers.byPlace(trace, size), own),
        "the shape of the last five": (lambda size: pointers.byShape(trace, size, near=0.03), own),
        "the same, trusting what is very near": (lambda size: pointers.byShape(trace, size, near=0.003), own),
        "number of the frame (rank)": (lambda size: pointers.rankByTime(trace, size), pointers.rankFallback()),
    }


BENCHES = {
    "audio": (audio.workbench, _calls),
    "network_stack": (network_stack.workbench, _links),
    "process_manager": (process_manager.workbench, _logs),
    "security": (security.workbench, _sequences),
    "window_manager": (window_manager.workbench, _pointers),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What it helps to know a trace by heart.")
    parser.add_argument(
        "--workbench", choices=tuple(BENCHES), action="append", help="only this one; may be given again"
    )
    arguments = parser.parse_args()
    heads = ["workbench", "trace", "what it knows", "table", "as it is", "on variants"]
    table = Table("What it helps to know a trace by heart", heads)
    for name in arguments.workbench or BENCHES:
        workbench, kindsOf = BENCHES[name]
        for path in workbench.traces():
            scenario, kinds = kindsOf(path)
            for kind, (make, own) in kinds.items():
                for size, bytes_ in SIZES.items():
                    wasm = make(bytes_)
                    known, claimed = (
                        each.developmentLevel(each.measure(wasm)) - each.developmentLevel(each.measure(own))
                        for each in (scenario, scenario.forModule(wasm))
                    )
                    table.rows.append([name, scenario.trace, kind, size, f"{known:+.3f}", f"{claimed:+.3f}"])
                    print("  ".join(table.rows[-1]), file=sys.stderr, flush=True)
    print(table)


if __name__ == "__main__":
    main()
