"""
``RESULTS.rst``: sections that several benchmarks write, each its own.

A section stands between two comments, C{.. begin NAME} and C{.. end NAME}; what is outside of any is C{run.py}'s.  So a
new run of one benchmark loses nothing of the others'.  ``NOTES.rst``, what people have to say about the figures, is the
last one.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["NOTES", "RESULTS", "compose", "publish", "sections"]

RESULTS = Path(__file__).with_name("RESULTS.rst")
NOTES = Path(__file__).with_name("NOTES.rst")

_SECTION = re.compile(r"^\.\. begin (\w+)\n(.*?)^\.\. end \1\n", re.MULTILINE | re.DOTALL)


def sections(path: Path = RESULTS) -> dict[str, str]:
    """What other benchmarks than C{run.py} wrote, by name."""
    text = path.read_text("utf-8") if path.exists() else ""
    found = {match[1]: match[2].strip() for match in _SECTION.finditer(text)}
    found.pop("notes", None)
    return found


def compose(hub: str, found: dict[str, str]) -> str:
    """The whole page.  @param hub: what C{run.py} wrote."""
    notes = {"notes": NOTES.read_text("utf-8").strip()} if NOTES.exists() else {}
    each = [f".. begin {name}\n\n{text}\n\n.. end {name}\n" for name, text in (found | notes).items()]
    return "\n".join([f"{hub.strip()}\n", *each])


def publish(name: str, text: str, path: Path = RESULTS) -> None:
    """Write the section C{name}, over what it was."""
    whole = path.read_text("utf-8") if path.exists() else ""
    path.write_text(compose(_SECTION.sub("", whole), sections(path) | {name: text.strip()}), "utf-8")
