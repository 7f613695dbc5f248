"""Picture of the architecture."""

from pathlib import Path

from tests.architecture.imports import Tree

PATH = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "architecture.svg"


def draw(tree: Tree) -> str:
    """The picture."""
    return ""
