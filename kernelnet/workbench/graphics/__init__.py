"""
The workbench of repaints: when a compositor starts to paint.

  - C{kn_graphics.h}: the ABIs, C{graphics/full/1} and C{…/rank/1}; `abis` names what components export
  - C{driver.c}: frames, clock and score, with C{full.h} or C{rank.h}; C{optimum.c}; `machine` runs them
  - C{baselines/*.c}: hand-made policies; `tuned`: the same with numbers that were chosen on train
  - `frames`: what readers give, whatever the format; `readers`: our own format, and which one a file is in; `weston`:
    Weston's timeline; `games`: PresentMon, OCAT, CapFrameX, MangoHud
  - `trace`: columns by frame and commit, digest, splits, variants
  - `scenario`: one session with its settings; `patterns`: what can be learned about it; `statistics`: its training part
    in figures
  - C{traces/}: sessions we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.graphics.abis import ABIS
from kernelnet.workbench.graphics.tuned import TUNED

if TYPE_CHECKING:
    from kernelnet.workbench.graphics.machine import GraphicsMachine
    from kernelnet.workbench.graphics.scenario import GraphicsScenario
    from kernelnet.workbench.graphics.trace import Trace

__all__ = ["GraphicsWorkbench", "workbench"]

RULES = """
graphics rules 1
frames: in the order of the recording; times in microseconds, whole numbers
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
commits: at * period_us // recorded period after the vblank, at most period_us
start: period_us - budget after the vblank, and no earlier than the frame's last commit; budget: rounded down, in
    [0, period_us]
shown: at vblank k = max(1, ceil((start + work) / period_us))
score: the sum of k * period_us - start + (k - 1) * (period_us * miss_percent // 100)
keys: the n-th 8 bytes, little-endian, of SHAKE-128(SHA-256("keys" | digest) | "surface"); of a variant the digest is
    its seed
fuel: at most 100000000 + 50000 a frame + 10000 a commit
memory: at most 16 MiB
variants: each split without about a fifth of its frames, begun elsewhere; what the work of a frame has to the median of
    16 of the same damage on either side is that of another one, in runs of 16; by damage up to a quarter longer or
    shorter; and work and times of commits up to a sixteenth
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""

PERIOD = (1000, 1_000_000)
MISS_PERCENT = 300
MAX_MISS = 10_000


@implementer(IPlugin, IWorkbench)
class GraphicsWorkbench(BaseWorkbench["GraphicsMachine", "GraphicsScenario"]):
    """
    See `IWorkbench`.

    Settings: C{period_us}, between two vblanks, by default as recorded; C{miss_percent}, the price of a missed vblank
    besides the period that it costs, in hundredths of a period.
    """

    name = "graphics"
    description = "repaint timing: latency of a compositor's frames, and vblanks that they miss"
    reference = "vblank"
    optimumName = "clairvoyant"
    unit = "microseconds"
    ratio = "microseconds a frame"
    windowsAdd = True
    recordedBy = "weston-debug timeline, MangoHud, PresentMon: a compositor alone knows its frames"
    formats = "our own .repaint, Weston's timeline, PresentMon, OCAT, CapFrameX, MangoHud; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("vblank", "weston", "mutter", "kwin", "gamescope", "chromium", "jacobson", "aimd", *TUNED)
    tuned = TUNED

    def machine(self, path: Path) -> GraphicsMachine:
        from kernelnet.workbench.graphics.machine import GraphicsMachine
        from kernelnet.workbench.graphics.trace import loadTrace

        return GraphicsMachine(loadTrace(path))

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        ranges = {"period_us": (trace.period, *PERIOD), "miss_percent": (MISS_PERCENT, 0, MAX_MISS)}
        self.refuseUnknown(settings, tuple(ranges))
        found = {name: settings.get(name, default) for name, (default, _, _) in ranges.items()}
        for name, (_, least, most) in ranges.items():
            if not least <= found[name] <= most:
                raise WorkbenchError(f"{name} is {found[name]}; it should be {least} to {most}")
        return found

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`: the refresh rate, whose default is the recording's, and an unusual price."""
        words = [f"{1e6 / settings['period_us']:.4g} Hz"]
        if settings["miss_percent"] != MISS_PERCENT:
            words.append(f"a miss costs {settings['miss_percent']} %")
        return ", ".join(words)

    def makeScenario(self, machine: GraphicsMachine, settings: Mapping[str, int]) -> GraphicsScenario:
        from kernelnet.workbench.graphics.scenario import GraphicsScenario

        return GraphicsScenario(self, machine, settings)


workbench = GraphicsWorkbench()
"""The plugin."""
