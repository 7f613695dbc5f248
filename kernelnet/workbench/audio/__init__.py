"""
The workbench of adaptive playout delay, which a jitter buffer has to choose.

  - C{kn_audio.h}: the ABIs, C{audio/full/1} and C{…/rank/1}; `abis` names what components export
  - C{driver.c}: arrivals, playout and score, with C{full.h} or C{rank.h}; C{cost.h}: the price of a frame;
    C{optimum.c}: the least cost; `machine` runs them
  - C{baselines/*.c}: hand-made policies; `tuned`: what their knobs are after a search on train
  - `readers`, `rtpdump`, `irtt`, `tables`: recordings; `packets`: what they give, and what of it is frames
  - `trace`: transits by frame, digest, splits, variants
  - `scenario`: one call with its settings; `patterns`: what can be learned about it; `statistics`: its training
    part in figures
  - C{traces/}: calls we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.audio.abis import ABIS
from kernelnet.workbench.audio.tuned import TUNED
from kernelnet.workbench.base import BaseWorkbench

if TYPE_CHECKING:
    from kernelnet.workbench.audio.machine import AudioMachine
    from kernelnet.workbench.audio.scenario import AudioScenario

__all__ = ["AudioWorkbench", "workbench"]

RULES = """
audio rules 1
frames: 20 ms each, in the order in which they are sent; transits in whole microseconds above the least of the trace
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
playout: frame i at 20 i + d ms; told before it: all that came until the frame before is played, in the order of arrival
d: the answer, rounded up, no number as 0; within [before - down_ms, before + up_ms] and [0, 599]; 60 before the first
score: of frames that came within 599 ms the sum, in ms, of
    d + 110 * max(0, d + base_ms - 177) // 24 + scale_cost * |d - before| + late_ms if the transit is more than 1000 d
optimum: the least of a split that begins with any d
fuel: at most 100000000 + 20000 a frame
memory: at most 16 MiB
variants: each split in stretches of 2 to 7 s that begin at the quietest frame of a second, without one in four, each
  up to 20 s out of place, and with its transits 922 to 1127 1024ths as long; where two meet that differ by 1 s at
  most, by 20 ms a frame
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""


@implementer(IPlugin, IWorkbench)
class AudioWorkbench(BaseWorkbench["AudioMachine", "AudioScenario"]):
    """
    See `IWorkbench`.

    Settings: C{late_ms}, the price of a late frame in milliseconds of delay; C{scale_cost}, that of each millisecond by
    which the delay changes; C{down_ms} and C{up_ms}, by how much it may in 20 ms; C{base_ms}, what voice takes besides.
    """

    name = "audio"
    description = "playout delay: when a jitter buffer plays frames of voice that come late"
    reference = "fixed"
    optimumName = "clairvoyant"
    unit = "milliseconds"
    ratio = "milliseconds a frame"
    windowsAdd = True
    recordedBy = "irtt client -i 20ms -o call.json HOST: a call takes a second machine"
    formats = "packets: our .owd, rtpdump, irtt JSON, CSV of sent and received, mahimahi links; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    ranges: ClassVar[Mapping[str, tuple[int, int, int]]] = {
        "late_ms": (14_600, 0, 1_000_000),
        "scale_cost": (2, 0, 1000),
        "down_ms": (5, 1, 20),
        "up_ms": (20, 1, 100),
        "base_ms": (50, 0, 400),
    }
    baselineNames = (
        *("fixed", "ramjee1", "ramjee2", "ramjee4", "moon", "concord", "neteq", "nlms", "speex"),
        *TUNED,
    )
    tuned = TUNED

    def machine(self, path: Path) -> AudioMachine:
        from kernelnet.workbench.audio.machine import AudioMachine
        from kernelnet.workbench.audio.trace import loadTrace

        return AudioMachine(loadTrace(path))

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`."""
        words = {
            "late_ms": "late {} ms",
            "scale_cost": "scaling {} a ms",
            "down_ms": "{} ms down",
            "up_ms": "{} ms up",
            "base_ms": "base {} ms",
        }
        unusual = (name for name, (default, *_) in self.ranges.items() if settings[name] != default)
        return ", ".join(words[name].format(settings[name]) for name in unusual)

    def makeScenario(self, machine: AudioMachine, settings: Mapping[str, int]) -> AudioScenario:
        from kernelnet.workbench.audio.scenario import AudioScenario

        return AudioScenario(self, machine, settings)


workbench = AudioWorkbench()
"""The plugin."""
