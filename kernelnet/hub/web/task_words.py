"""Tasks as the API gives them: with their settings in words and units, and only those that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.hub.workbench_rules import installedWorkbenches
from kernelnet.untrusted import plain
from kernelnet.workbench.words import inWords, traceInWords

__all__ = ["MAX_WORDS", "withWords"]

MAX_WORDS = 200
"""Characters of a task's trace, and of its settings in words: these may be a stranger's."""


def withWords(task: Mapping[str, Any]) -> dict[str, Any]:
    """
    The same with C{trace_in_words} and C{settings_in_words}.

    @param task: with C{workbench}, C{trace} and C{settings}, or C{None} for these: what claims no task has no words.
    """
    trace, settings = task["trace"] or "", task["settings"] or {}
    words = inWords(installedWorkbenches().get(task["workbench"]), settings)
    return {
        **task,
        "trace_in_words": plain(traceInWords(trace, settings), MAX_WORDS),
        "settings_in_words": plain(words, MAX_WORDS),
    }
