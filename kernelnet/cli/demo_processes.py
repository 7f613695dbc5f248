"""Processes of a demo: which program, and the last that one said which ended badly."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

__all__ = ["lastLine", "program"]


def program(name: str) -> str:
    """A program of ours: beside this interpreter, else on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def lastLine(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    wanted = [line for line in lines if "critical" in line or "Error" in line] or lines
    return wanted[-1] if wanted else "it said nothing"
