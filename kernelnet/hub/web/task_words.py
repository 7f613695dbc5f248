"""Tasks as the API gives them: with their settings in words and units, and only those that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.hub.workbench_rules import installedWorkbenches
from kernelnet.untrusted import plain
from kernelnet.workbench.words import inWords

__all__ = ["MAX_WORDS", "withWords"]

MAX_WORDS = 200
"""Characters of one task's settings in words: those of a workbench that isn't installed here are a stranger's."""


def withWords(task: Mapping[str, Any]) -> dict[str, Any]:
    """
    The same with C{settings_in_words}.

    @param task: with C{workbench} and C{settings}, or C{None} for these: what claims no task has no words for one.
    """
    settings = task["settings"]
    bench = installedWorkbenches().get(task["workbench"])
    return {**task, "settings_in_words": plain(inWords(bench, settings), MAX_WORDS) if settings is not None else ""}
