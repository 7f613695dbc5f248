"""
The workbench of pointer prediction.

  - C{kn_window_manager.h}: the ABIs C{window_manager/full/1} and C{…/rank/1}; `abis` names what components export
  - C{driver.c}: samples, frames and score, with C{full.h} or C{rank.h}; `machine` runs it with a policy
  - C{baselines/*.c}: hand-made policies; `tuned`: the same with other numbers
  - `readers`: files of movements, of several kinds, `evdev` and `flutter` among them; `movement`: what they hand over;
    `trace`: samples, frames, digest, splits
  - `scenario`: movements and a horizon; `patterns`: what can be learned about them; `statistics`: their training
    part in figures; `regularities`: what both reckon with
  - `record`: movements of the person at this machine
  - C{traces/}: movements that C{synthetic.py} there made after a model of human pointing

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
from kernelnet.workbench.recording import Recorder
from kernelnet.workbench.window_manager.abis import ABIS
from kernelnet.workbench.window_manager.tuned import TUNED

if TYPE_CHECKING:
    from kernelnet.workbench.window_manager.machine import WindowManagerMachine
    from kernelnet.workbench.window_manager.scenario import WindowManagerScenario

__all__ = ["AHEAD", "WindowManagerWorkbench", "workbench"]

RULES = """
window_manager rules 1
samples: microseconds and milli-pixels since the one before; a pause of more than 200000 us counts as 200000
frames: one each 16667 us, the first SHA-256("frames" | digest), 4 bytes little-endian, modulo 16667 after the first
    sample; one counts if the newest sample is at most 18000 us old and elsewhere than the one before, and no samples
    are further apart than 18000 us from it to the first at or after 33333 us behind the frame
splits: half = n // 2 frames that count; train [0, half - half // 5), validation [.., half), held_out [half, n); one
    warm pass; of a frame all samples are shown up to its time
score: the sum over frames of floor(1000 sqrt(dx^2 + dy^2)) of answer and truth in pixels; the truth lies on the
    straight line between the samples around it; an answer that is no number is 0, and one beyond 100000 pixels is that
fuel: at most 20000000 + 1500 a sample + 20000 a frame
memory: at most 16 MiB
variants: each split in stretches of 1 to 4 s, without one in four, each up to 16 s out of place; each stretch mirrored
    or not in either axis, 1536 to 2731 2048ths as large, and crossed by 768 2048ths of what the pointer did from
    another moment of the split on, without its pauses, mirrored or not; before, each movement is changed along and
    across by up to 32 2048ths
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""

AHEAD = (16_667, 33_333)
"""Microseconds: a frame, which is the default, and two: the tasks of a trace."""


@implementer(IPlugin, IWorkbench)
class WindowManagerWorkbench(BaseWorkbench["WindowManagerMachine", "WindowManagerScenario"]):
    """
    See `IWorkbench`.

    Settings: C{ahead_us}, how long after it is drawn a frame is seen.
    """

    name = "window_manager"
    description = "pointer prediction: where a mouse or finger will be when the frame is seen"
    reference = "hold"
    optimumName = "clairvoyant"
    unit = "milli-pixels off"
    ratio = "milli-pixels off a frame"
    windowsAdd = True
    recorder = Recorder(
        "--pointer",
        "Record how the mouse or finger moves",
        "how mouse, touchpad, pen or finger move (needs /dev/input)",
        "mine.pointer.xz",
        "samples",
        "kernelnet.workbench.window_manager.record",
        "recordPointer",
    )
    formats = "pointer movements: own .pointer; balabit CSV; Flutter JSON; evtest; libinput record; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = (
        *("hold", "reckon", "android", "line", "parabola", "kalman", "double_exponential", "one_euro"),
        *TUNED,
    )
    ranges = {"ahead_us": (AHEAD[0], 1000, AHEAD[1])}

    tuned = TUNED

    def machine(self, path: Path) -> WindowManagerMachine:
        from kernelnet.workbench.window_manager.machine import WindowManagerMachine
        from kernelnet.workbench.window_manager.trace import loadTrace

        return WindowManagerMachine(loadTrace(path))

    def tasks(self, path: str | Path) -> list[dict[str, int]]:
        """A frame ahead, and two."""
        return [self.scenario(path, {"ahead_us": ahead}).settings for ahead in AHEAD]

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`."""
        ahead = settings["ahead_us"]
        return "" if ahead == AHEAD[0] else f"{ahead / 1000:g} ms ahead"

    def makeScenario(self, machine: WindowManagerMachine, settings: Mapping[str, int]) -> WindowManagerScenario:
        from kernelnet.workbench.window_manager.scenario import WindowManagerScenario

        return WindowManagerScenario(self, machine, settings)


workbench = WindowManagerWorkbench()
"""The plugin."""
