"""The template C{delay_target.c} as a family: senders that keep a queue of their own choice at the link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernelnet.generators.templates.parameters import Parameter, Template, Vector

__all__ = ["DELAY_TARGET"]

_PARAMETERS = (
    Parameter("TARGET", 0.2, 12, False, False, "packets that should wait"),
    Parameter("SHARE", 0, 0.8, False, True, "and besides this share of the window"),
    Parameter("STANDING", 0, 1, False, True, "what waits is seen by 0: the rtt of the moment, 1: the one that stands"),
    Parameter("UP", 0.1, 8, False, False, "packets more in a round trip"),
    Parameter("UP_SHARE", 0, 0.6, False, True, "and besides this share of the window"),
    Parameter("DOWN", 0, 8, False, True, "packets less in a round trip"),
    Parameter("DOWN_SHARE", 0, 0.6, False, True, "and besides this share of the window"),
    Parameter("NEAR", 0, 1, False, True, "steps are 0: whole, 1: the less the nearer the target is"),
    Parameter("LOSS", 0.4, 1, False, False, "what is left of the window after a loss"),
    Parameter("PACE", 0, 4, False, True, "windows in a round trip at most; 0: not paced"),
)

_KNOWN: tuple[Vector, ...] = (
    (3, 0, 0, 1, 0, 1, 0, 0, 0.5, 0),  # Vegas, nearly
    (2, 0, 1, 2, 0, 2, 0, 0, 1, 2),  # Copa, nearly
    (4, 0, 0, 4, 0, 4, 0, 1, 0.5, 0),  # FAST TCP
    (2, 0.1, 0, 2, 0.05, 2, 0.05, 0, 1, 0),
    (2, 0.1, 0, 2, 0.05, 2, 0.05, 1, 0.7, 2),
    (2, 0, 0, 4, 0.05, 2, 0, 1, 1, 2),
)
"""Settings that come near to known senders, and such between them."""


def _summary(value: Mapping[str, float]) -> str:
    text = f"keeps {value['TARGET']:.1f} packets and {value['SHARE']:.0%} of the window in the queue"
    return text + (f", paced at {value['PACE']:.1f} windows a round trip" if value["PACE"] else "")


DELAY_TARGET = Template(
    "queue_target",
    "network_stack",
    Path(__file__).with_name("delay_target.c").read_text(encoding="utf-8"),
    _PARAMETERS,
    _KNOWN,
    _summary,
    blockTypes=frozenset(("network_stack/search", "network_stack/template")),
    islands=1,
    population=20,
    offspring=10,
)
