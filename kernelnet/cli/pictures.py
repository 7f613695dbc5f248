"""Pictures that commands draw, if matplotlib is here: of one look, and the same bytes of the same numbers."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kernelnet.cli.arguments import Mistake, checkOut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["checkPicture", "hasMatplotlib", "picture", "tidy"]

_SUFFIXES = (".png", ".svg")


def hasMatplotlib() -> bool:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def checkPicture(path: Path, force: bool) -> None:
    """
    @raise Mistake: it can't be drawn there.
    @raise click.ClickException: matplotlib isn't installed; says how it is.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise Mistake(f"{path}: the picture's name should end in {' or '.join(_SUFFIXES)}")
    checkOut(path, force)
    if not hasMatplotlib():
        raise click.ClickException("matplotlib is missing; pip install 'kernelnet[plot]' brings it")


def picture(draw: Callable[[Figure], None], size: tuple[float, float], kind: str) -> bytes:
    """
    @param draw: fills an empty figure.
    @param size: width and height, in inches.
    @param kind: C{"png"} or C{"svg"}.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Letters stay letters in SVG, and the same run gives the same bytes.
    settings: Any = {"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "kernelnet", "text.parse_math": False}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A name may have letters that no font here has.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        draw(figure)
        data = io.BytesIO()
        if kind == "svg":
            figure.savefig(data, format="svg", metadata={"Date": None})
        else:
            figure.savefig(data, format="png", dpi=100, metadata={"Software": None})
    return data.getvalue()


def tidy(axes: Axes) -> None:
    """A pale grid behind what is drawn, and no frame but the two axes."""
    axes.grid(True, which="major", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
