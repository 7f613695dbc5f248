"""
``RESULTS.rst``: sections that several benchmarks write, each its own.

A section stands between two comments, C{.. begin NAME} and C{.. end NAME}, and what is outside of any is C{run.py}'s.
So a new run of one benchmark loses nothing of the others'.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["NOTES", "RESULTS", "publish", "sections"]

RESULTS = Path(__file__).with_name("RESULTS.rst")
NOTES = Path(__file__).with_name("NOTES.rst")
"""What people have to say about the figures; it goes behind them."""

_SECTION = re.compile(r"^\.\. begin (\w+)\n.*?^\.\. end \1\n", re.MULTILINE | re.DOTALL)


def sections(path: Path = RESULTS) -> dict[str, str]:
    """The sections that are there by name, each with its comments."""
    text = path.read_text("utf-8") if path.exists() else ""
    return {match[1]: match[0] for match in _SECTION.finditer(text)}


def publish(name: str, text: str, path: Path = RESULTS) -> None:
    """Write the section C{name}, over what it was; a new one comes before the notes."""
    whole = path.read_text("utf-8") if path.exists() else ""
    section = f".. begin {name}\n\n{text.strip()}\n\n.. end {name}\n"
    if (old := sections(path).get(name)) is not None:
        whole = whole.replace(old, section)
    else:
        notes = NOTES.read_text("utf-8") if NOTES.exists() else ""
        head, found, _ = whole.partition(notes.splitlines()[0] + "\n") if notes else (whole, "", "")
        whole = f"{head.rstrip()}\n\n{section}\n" + whole[len(head) :] if found else f"{whole.rstrip()}\n\n{section}"
    path.write_text(whole.lstrip(), "utf-8")
