"""
``python -m tests.architecture [--moved FILE] [TREE]`` prints counts of a tree (this one, unless another is named) and
what of it is against the rules; ``… picture`` and ``… packages`` make again what the documents show of it.

A tree from before modules moved is counted by the same rules with C{--moved}: a file with lines C{OLD.py moves to
NEW.py}.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from tests.architecture import documents, picture
from tests.architecture.checks import CHECKS, anyParameters
from tests.architecture.imports import Tree, readTree

ROOT = Path(__file__).resolve().parents[2]

PAGE = ROOT / "docs" / "explanation" / "architecture.rst"


def counts(root: Path, tree: Tree) -> dict[str, int]:
    """Numbers to compare trees by: what is against the rules, C{Any} parameters, and lines of C{.py} files."""
    found = {what: len(check(tree)) for what, check in CHECKS.items()}
    found["parameters annotated Any or Any | None"] = len(anyParameters(tree))
    found["modules"] = len(tree.modules)
    for folder in ("kernelnet", "tests", "benchmarks"):
        files = [path.read_text("utf-8") for path in (root / folder).rglob("*.py")]
        found[f"lines in {folder}"] = sum(len(text.splitlines()) for text in files)
    found["lines in all"] = sum(number for what, number in found.items() if what.startswith("lines in "))
    return found


def readMoves(text: str) -> dict[str, str]:
    """Modules' names, old to new."""
    moves = re.findall(r"^\s*(\S+)\.py moves to (\S+)\.py$", text, re.MULTILINE)
    return {_module(old): _module(new) for old, new in moves}


def _module(path: str) -> str:
    return path.replace("/", ".").removesuffix(".__init__")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m tests.architecture", description="counts and violations of a tree")
    parser.add_argument("what", nargs="?", default=str(ROOT), help="picture, packages, or a tree's folder")
    parser.add_argument("--moved", type=Path, help="lines 'OLD.py moves to NEW.py': modules' names in the rules")
    options = parser.parse_args()
    if options.what == "picture":
        picture.PATH.write_text(picture.draw(readTree(ROOT)), "utf-8")
        return
    if options.what == "packages":
        PAGE.write_text(documents.withListing(PAGE.read_text("utf-8"), readTree(ROOT)), "utf-8")
        return
    root = Path(options.what)
    tree = readTree(root)
    if options.moved:
        tree = tree.renamed(readMoves(options.moved.read_text("utf-8")))
    lines = [f"{number:7}  {what}" for what, number in counts(root, tree).items()]
    for what, check in CHECKS.items():
        found = check(tree)
        if found:
            lines += ["", f"{what}:", *(f"  {line}" for line in found)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
