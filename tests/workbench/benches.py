"""Every bench that ships, with a small scenario of its own: what holds for all of them is tested on all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernelnet.workbench.network_stack import NetworkStackWorkbench
from tests.workbench import (
    audio_support,
    graphics_support,
    network_stack_support,
    process_manager_support,
    sequences,
    support,
    window_manager_support,
)

__all__ = ["BENCHES"]


def _networkStack(folder: Path) -> Any:
    # With three seconds of nothing, so that timers end.
    link = [*network_stack_support.varied(10), *[0] * 3000, *network_stack_support.varied(10, 2)]
    path = network_stack_support.writeLink(folder / "small.txt", link)
    return NetworkStackWorkbench().scenario(path)


BENCHES: dict[str, Callable[[Path], Any]] = {
    "file_system": support.smallScenario,
    "audio": audio_support.smallScenario,
    "process_manager": process_manager_support.smallScenario,
    "network_stack": _networkStack,
    "security": sequences.smallScenario,
    "window_manager": window_manager_support.smallScenario,
    "graphics": lambda folder: graphics_support.smallScenario(folder, graphics_support.session(400)),
}
"""By name: a function that makes the scenario in a folder."""
