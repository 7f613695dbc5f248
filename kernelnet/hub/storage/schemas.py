"""The SQL of an engine's schema versions, which are numbered files beside it."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["schemasOf"]


def schemasOf(package: str) -> dict[int, str]:
    """The SQL in C{schema/} of an engine's C{package}, by version."""
    found = {}
    for file in (files(package) / "schema").iterdir():
        if match := re.fullmatch(r"([0-9]{4})\.sql", file.name):
            found[int(match[1])] = file.read_text("utf-8")
    return dict(sorted(found.items()))
