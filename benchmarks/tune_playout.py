"""
Finds the knobs of the hand-made policies of C{audio}: what stands in C{kernelnet/workbench/audio/tuned.py}.

For each policy all of its grid (`kernelnet.workbench.audio.tuned.GRIDS`) is tried on the train parts of the calls that
ship; printed is the setting with the least mean of the logarithms of the costs over all of them, and what it costs
there beside the policy as its authors have it.
"""

from __future__ import annotations

import math
import statistics
import sys
from pathlib import Path

from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.audio.tuned import GRIDS, settingsOf
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.tuned import withNumbers

__all__ = ["costsOf", "main"]


def costsOf(wasm: bytes, calls: list[AudioScenario], split: str) -> list[float]:
    """A policy's cost a frame on a split of each call."""
    return [call.measure(wasm, upTo=split).splits[split].score / call.events[split] for call in calls]


def main() -> None:
    paths = [Path(path) for path in sys.argv[1:]] or workbench.traces()
    calls = [AudioWorkbench().scenario(path) for path in paths]
    print(f"milliseconds a frame on train of {', '.join(call.trace for call in calls)}")
    for policy in GRIDS:
        source = (workbench.folder / "baselines" / f"{policy}.c").read_text(encoding="utf-8")
        found: list[tuple[float, dict[str, float], list[float]]] = []
        for knobs in settingsOf(policy):
            wasm = compileC(withNumbers(source, knobs), workbench.headerPath, trusted=True)
            costs = costsOf(wasm, calls, "train")
            found.append((statistics.fmean(math.log(cost) for cost in costs), knobs, costs))
        _, knobs, costs = min(found, key=lambda one: one[0])
        plain = costsOf(workbench.baselineModule(policy), calls, "train")
        print(f'    "{policy}_tuned": ("{policy}", {knobs}),')
        print(
            f"        # {' '.join(f'{cost:.0f}' for cost in costs)}; plain {' '.join(f'{cost:.0f}' for cost in plain)}"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
