"""What several tests of network_stack need: components from source, and small links."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench


@functools.cache
def policy(  # noqa: PLR0917 -- in the order in which they are called
    init: str = "return 10;",
    ack: str = "return 10;",
    loss: str = "return 10;",
    timeout: str = "return 10;",
    rate: str = "return 0;",
    more: str = "",
) -> bytes:
    """A component of the full ABI, of the bodies of its functions."""
    source = f"""
    #include "kn_network_stack.h"
    {more}
    f64 kn_init(void) {{ {init} }}
    f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {{ {ack} }}
    f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {{ {loss} }}
    f64 kn_timeout(u32 elapsed, u32 lost) {{ {timeout} }}
    f64 kn_rate(void) {{ {rate} }}
    """
    return compileC(source, workbench.headerPath, trusted=True)


def fixed(window: object, rate: object = 0) -> bytes:
    """Always this window."""
    answer = f"return {window};"
    return policy(answer, answer, answer, answer, f"return {rate};")


@functools.cache
def rank(expression: str) -> bytes:
    parameters = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_network_stack.h"\nf64 kn_window({parameters}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def varied(seconds: int = 40, seed: int = 1, mean: float = 1.0) -> list[int]:
    """A link whose rate changes each half second."""
    rng = random.Random(seed)
    link: list[int] = []
    while len(link) < 1000 * seconds:
        rate = mean * rng.choice([0.05, 0.3, 1.0, 1.2, 2.0])
        link += [int(rate + rng.random()) for _ in range(500)]
    return link


def writeLink(path: Path, link: list[int]) -> Path:
    # The last millisecond must have an opportunity, or the file would not say that it is there.
    link = [*link[:-1], max(1, link[-1])]
    path.write_text("".join(f"{ms}\n" * count for ms, count in enumerate(link)))
    return path
