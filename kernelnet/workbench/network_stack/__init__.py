"""
The workbench of congestion control.

  - C{kn_network_stack.h}: the ABIs, C{network_stack/full/2} and C{…/rank/1}; `abis` names what components export
  - C{driver.c}: senders, queue, link and score, with C{full.h} or C{rank.h}; `machine` runs it with a policy
  - C{baselines/*.c}: hand-made policies
  - `readers`: mahimahi's link traces; `trace`: opportunities by millisecond, digest, splits
  - `scenario`: one link with its queue and flows; `patterns`: what can be learned about it; `statistics`: its
    training part in figures
  - C{traces/}: links we recorded, and C{record.py}, which recorded them

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
from kernelnet.workbench.network_stack.abis import ABIS

if TYPE_CHECKING:
    from kernelnet.workbench.network_stack.machine import NetworkStackMachine
    from kernelnet.workbench.network_stack.scenario import NetworkStackScenario
    from kernelnet.workbench.network_stack.trace import Trace

__all__ = ["NetworkStackWorkbench", "workbench"]

RULES = """
network_stack rules 2
link: whole seconds of a mahimahi trace, once; 1500 bytes a packet and an opportunity
splits: half = n // 2 seconds; train [0, half - half // 5), validation [.., half), held_out [half, n); one warm pass
flows: of one component, an instance each; the i-th starts with second i
score: in each second, for each flow that started with it or before, in thousandths of log2 of throughput over delay
    log2((share + 1) / (taken + 1)), share: of all opportunities of the second, evenly, the rest to the first flows
    and log2(mean rtt / base rtt) of what was taken, if anything was; the sum of a second at least 0
chance: SplitMix64 from SHA-256("keys" | digest), the first 8 bytes, little-endian; of a variant the digest is its seed
fuel: at most 100000000 + 2000 an opportunity + 2000 a millisecond + 100 a flow and millisecond
memory: at most 16 MiB for each flow
variants: each split in stretches of 1 to 4 s, without one in four, each up to 16 s out of place; whole seconds count
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""

SETTINGS: Mapping[str, tuple[int, int, int, str]] = {
    "rtt_ms": (40, 1, 1000, "milliseconds"),
    "queue_packets": (250, 1, 1 << 14, "packets"),
    "loss_permille": (0, 0, 500, "packets of a thousand"),
    "flows": (1, 1, 8, "flows"),
}
"""Each with its default, least, most, and what it counts."""

SHARING = 3
"""Flows, in the second of a link's tasks."""


@implementer(IPlugin, IWorkbench)
class NetworkStackWorkbench(BaseWorkbench["NetworkStackMachine", "NetworkStackScenario"]):
    """
    See `IWorkbench`.

    Settings: C{rtt_ms}, the round trip without waiting; C{queue_packets}, how many packets wait for the link at most;
    C{loss_permille}, how many are lost by chance; C{flows}, how many share the link.
    """

    name = "network_stack"
    description = "congestion control: throughput and delay lost on a recorded link"
    reference = "reno"
    optimumName = "omniscient"
    unit = "millibits lost"
    ratio = "millibits lost a second"
    windowsAdd = True
    recordedBy = "mahimahi: recording a link takes both of its ends"
    formats = "mahimahi link traces; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("reno", "cubic", "vegas", "bbr", "copa")

    def machine(self, path: Path) -> NetworkStackMachine:
        from kernelnet.workbench.network_stack.machine import NetworkStackMachine
        from kernelnet.workbench.network_stack.trace import loadTrace

        return NetworkStackMachine(loadTrace(path))

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        self.refuseUnknown(settings, tuple(SETTINGS))
        found = {}
        for name, (default, least, most, counts) in SETTINGS.items():
            found[name] = settings.get(name, default)
            if not least <= found[name] <= most:
                raise WorkbenchError(f"{name} is {found[name]}; it should be {least} to {most} {counts}")
        return found

    def tasks(self, path: str | Path) -> list[dict[str, int]]:
        """One flow alone; then several, which have to share the link."""
        return [self.scenario(path).settings, self.scenario(path, {"flows": SHARING}).settings]

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`."""
        words = {
            "rtt_ms": "RTT {} ms",
            "queue_packets": "queue of {} packets",
            "loss_permille": "{} ‰ lost",
            "flows": "{} flows",
        }
        unusual = (name for name, (default, *_) in SETTINGS.items() if settings[name] != default)
        return ", ".join(words[name].format(settings[name]) for name in unusual)

    def makeScenario(self, machine: NetworkStackMachine, settings: Mapping[str, int]) -> NetworkStackScenario:
        from kernelnet.workbench.network_stack.scenario import NetworkStackScenario

        return NetworkStackScenario(self, machine, settings)


workbench = NetworkStackWorkbench()
"""The plugin."""
