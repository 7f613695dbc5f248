"""
C{docs/pictures/architecture.svg}: the rooms of `rules` as boxes, the imports as arrows.

Where boxes stand is data; the arrows are what the modules import.  An arrow is left out where others lead the same way
(so C{web} -> C{admin} -> C{connection} stands for C{web} -> C{connection} too), and red where it is against the rules.
Between two frames one arrow stands for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from tests.architecture.imports import Tree
from tests.architecture.rules import BENCHES, FACADES, isAllowed, roomOf

__all__ = ["FRAMES", "PATH", "TOP", "arrows", "crossings", "draw", "drawnAs", "reduced"]

PATH = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "architecture.svg"


@dataclass(frozen=True)
class Frame:
    """
    Rooms that are drawn in one frame.

    @ivar name: how it is called in arrows.
    @ivar title: what is written on it.
    @ivar rows: rooms, without C{kernelnet.} and C{inside}, from those that import to those that are imported.
        An empty name keeps a place free.
    @ivar inside: a package that all of them are in, or nothing.
    """

    name: str
    title: str
    rows: Sequence[Sequence[str]]
    inside: str = ""

    @property
    def prefix(self) -> str:
        """Beginning of its rooms' names."""
        return f"kernelnet.{self.inside}." if self.inside else "kernelnet."

    def roomsIn(self, tree: Tree) -> list[list[str]]:
        """Full names of those of its rooms that there are, by row; free places are empty."""
        there = {drawnAs(module) for module in tree.modules}
        rows = [
            [name and self.prefix + name for name in row if not name or self.prefix + name in there]
            for row in self.rows
        ]
        return [row for row in rows if any(row)]


TOP = ("kernelnet.__main__", "kernelnet.cli", "kernelnet.mcp", "kernelnet")
"""Rooms above the frames, from left to right."""

FRAMES = (
    Frame(
        "hub",
        "kernelnet.hub",
        (
            ("tap",),
            ("service",),
            ("composition", "config"),
            ("web",),
            ("admin", "workbench_rules"),
            ("connection",),
            ("", "routing"),
            ("auth", "views"),
            ("storage",),
        ),
        "hub",
    ),
    Frame(
        "trainer",
        "kernelnet.trainer",
        (
            ("tap", "api"),
            ("service",),
            ("progress", "goodbye", "errors"),
            ("messaging", "", ""),
            ("collaboration", "connection"),
            ("work",),
            ("storage", "profile", "training"),
        ),
        "trainer",
    ),
    Frame(
        "learning",
        "learning and measuring: no network",
        (
            ("", "generators.llm", "deploy", "testing"),
            ("learning", "generators", "exporters", ""),
            ("expressions", "", "", "workbench.*"),
            ("", "", "workbench", ""),
        ),
    ),
    Frame(
        "base",
        "words that all have in common, and tools",
        (
            ("log_format", "line_protocol", "plugins", "workbench.words", "asyncio_bridge"),
            ("interfaces", "wire", "interrupt", "daemon", "duration", "size", "attestation"),
            ("untrusted", "", "observations", "learning.goal", "workbench.abi", "workbench.account", "identity"),
            ("", "message", "", "knowledge", ""),
            ("", "payloads", "", "", "", "", ""),
            ("provenance", "", "artifacts", "", "families"),
        ),
    ),
)
"""Columns below the top row, and last the broad frame below them."""

_Point = tuple[float, float]

_Curve = tuple[_Point, _Point, _Point, _Point]
"""A cubic Bezier curve: start, two points that it bends to, end."""

GAP, ROW, HIGH, WIDE = 36, 54, 30, 310
"""Distance of frames and of rows; height of a box; width of a column; all in pixels."""

HEAD = 34
"""Height of a frame's title, in pixels."""

STYLE = """
  :root { --paper: #fff; --ink: #24292f; --box: #f6f8fa; --frame: #fbfcfd; --line: #8c959f; --arrow: #57606a; }
  .wrong, .wronghead { --arrow: #cf222e; }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #0d1117; --ink: #e6edf3; --box: #21262d; --frame: #131820; --line: #6e7681; --arrow: #9ea7b3; }
    .wrong, .wronghead { --arrow: #ff7b72; }
  }
  .paper { fill: var(--paper); }
  .frame { fill: var(--frame); stroke: var(--line); }
  .box { fill: var(--box); stroke: var(--line); }
  text { fill: var(--ink); font: 13px system-ui, sans-serif; text-anchor: middle; }
  .title { font-weight: 600; text-anchor: start; }
  .arrow, .wrong { fill: none; stroke: var(--arrow); stroke-width: 1.3; marker-end: url(#head); }
  .wrong { stroke-width: 2; marker-end: url(#wronghead); }
  .head, .wronghead { fill: var(--arrow); }
"""


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    width: float
    height: float
    text: str
    kind: str = "box"

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    def draw(self) -> Iterable[str]:
        yield (
            f'<rect class="{self.kind}" x="{self.left:.0f}" y="{self.top:.0f}" width="{self.width:.0f}" '
            f'height="{self.height:.0f}" rx="6"/>'
        )
        if self.kind == "frame":
            yield f'<text class="title" x="{self.left + 12:.0f}" y="{self.top + 20:.0f}">{escape(self.text)}</text>'
        else:
            yield f'<text x="{self.middle:.0f}" y="{self.top + self.height / 2 + 4.5:.0f}">{escape(self.text)}</text>'


def draw(tree: Tree) -> str:
    """The picture."""
    boxes = _places(tree)
    parts: list[str] = []
    width = max(box.left + box.width for box in boxes.values()) + GAP
    height = max(box.bottom for box in boxes.values()) + GAP
    for box in boxes.values():
        if box.kind == "frame":
            parts += box.draw()
    ways: dict[bool, list[str]] = {False: [], True: []}
    for (_, _, isWrong), (start, *rest) in _ways(tree, boxes).items():
        way = f"M{start[0]:.0f} {start[1]:.0f}C" + " ".join(f"{x:.0f} {y:.0f}" for x, y in rest)
        ways[isWrong].append(f'<path class="{"wrong" if isWrong else "arrow"}" d="{way}"/>')
    parts += ways[False]
    for box in boxes.values():
        if box.kind != "frame":
            parts += box.draw()
    parts += ways[True]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="Packages and their imports">',
            "<!-- Made by python -m tests.architecture picture -->",
            f"<style>{STYLE}</style>",
            "<defs>",
            *(
                f'<marker id="{head}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
                f'markerUnits="userSpaceOnUse" orient="auto"><path class="{head}" d="M0 0 8 4 0 8z"/></marker>'
                for head in ("head", "wronghead")
            ),
            "</defs>",
            f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
            *parts,
            "</svg>\n",
        )
    )


def crossings(tree: Tree) -> list[str]:
    """Arrows that pass behind a box of neither of their ends, and so look as if they began or ended there."""
    boxes = _places(tree)
    found = set()
    for (source, target, _), way in _ways(tree, boxes).items():
        for x, y in (_pointOf(way, step / 200) for step in range(201)):
            found |= {
                f"{source} -> {target} behind {name}"
                for name, box in boxes.items()
                if box.kind == "box"
                and name not in (source, target)
                and box.left < x < box.left + box.width
                and box.top < y < box.bottom
            }
    return sorted(found)


def drawnAs(module: str) -> str | None:
    """The box that a module is in: its room, but for benches, which have one box; none for a package's bare map."""
    room = roomOf(module)
    if room in BENCHES:
        return "kernelnet.workbench.*"
    return None if room in FACADES - {"kernelnet"} else room


def arrows(tree: Tree) -> set[tuple[str, str, bool]]:
    """What is drawn: from, to, and whether it is against the rules.  Ends are rooms, or frames' names."""
    frames = {room: frame.name for frame in FRAMES for row in frame.roomsIn(tree) for room in row}
    below: dict[str, set[str]] = {}
    wrong = set()
    for each in tree.inside():
        source, target = drawnAs(each.source), drawnAs(each.target)
        if source is None or target is None or source == target:
            continue
        inOne = frames.get(source) == frames.get(target)
        ends = (source, target) if inOne else (frames.get(source, source), frames.get(target, target))
        if isAllowed(each.source, each.target):
            below.setdefault(ends[0], set()).add(ends[1])
        else:
            wrong.add(ends)
    return {(*ends, False) for ends in reduced(below)} | {(*ends, True) for ends in wrong}


def reduced(below: Mapping[str, Iterable[str]]) -> set[tuple[str, str]]:
    """Edges of a graph without circles, but for those that a longer way replaces."""

    def reach(start: str) -> set[str]:
        seen = {start}
        waiting = [start]
        while waiting:
            new = set(below.get(waiting.pop(), ())) - seen
            seen |= new
            waiting += new
        return seen

    kept = set()
    for node, others in below.items():
        for other in others:
            if not any(other in reach(way) for way in others if way != other):
                kept.add((node, other))
    return kept


def _places(tree: Tree) -> dict[str, _Box]:
    """All boxes by room, after the frames by name."""
    there = {drawnAs(module) for module in tree.modules}
    *columns, last = FRAMES
    whole = len(columns) * WIDE + (len(columns) - 1) * GAP
    boxes = _row([room for room in TOP if room in there], GAP, GAP, whole, "kernelnet.")
    top = GAP + HIGH + 1.5 * GAP
    height = max(_height(frame, tree) for frame in columns)
    for number, frame in enumerate(columns):
        boxes |= _frame(frame, tree, _Box(GAP + number * (WIDE + GAP), top, WIDE, height, frame.title, "frame"))
    below = _Box(GAP, top + height + 1.5 * GAP, whole, _height(last, tree), last.title, "frame")
    return boxes | _frame(last, tree, below)


def _height(frame: Frame, tree: Tree) -> float:
    return len(frame.roomsIn(tree)) * ROW + HEAD


def _frame(frame: Frame, tree: Tree, around: _Box) -> dict[str, _Box]:
    boxes = {frame.name: around}
    rows = frame.roomsIn(tree)
    step = (around.height - HEAD) / max(1, len(rows))
    for number, row in enumerate(rows):
        boxes |= _row(row, around.left, around.top + HEAD + number * step, around.width, frame.prefix)
    return boxes


def _row(rooms: Sequence[str], left: float, top: float, width: float, prefix: str) -> dict[str, _Box]:
    step = width / max(1, len(rooms))
    boxes = {}
    for number, room in enumerate(rooms):
        text = room.removeprefix(prefix)
        wide = min(step - 8, 26 + 8 * len(text))
        if room:
            boxes[room] = _Box(left + (number + 0.5) * step - wide / 2, top, wide, HIGH, text)
    return boxes


def _ports(boxes: Mapping[str, _Box], ends: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Where on each box, from 0 to 1, each of its arrows is, so that they don't cross at once."""
    by: dict[str, list[str]] = {}
    for one, other in ends:
        by.setdefault(one, []).append(other)
    ports = {}
    for one, others in by.items():
        others.sort(key=lambda other: boxes[other].middle)
        for number, other in enumerate(others):
            ports[one, other] = (number + 1) / (len(others) + 1)
    return ports


def _ways(tree: Tree, boxes: Mapping[str, _Box]) -> dict[tuple[str, str, bool], _Curve]:
    """A curve for each of the arrows."""
    found = sorted(arrows(tree))
    leaving = _ports(boxes, [(source, target) for source, target, _ in found])
    arriving = _ports(boxes, [(target, source) for source, target, _ in found])
    return {
        each: _way(boxes[each[0]], boxes[each[1]], leaving[each[0], each[1]], arriving[each[1], each[0]])
        for each in found
    }


def _way(start: _Box, end: _Box, leaving: float, arriving: float) -> _Curve:
    """A curve, down where C{end} is below, from side to side where it is beside, around where it is above."""
    x, y = start.left + leaving * start.width, start.bottom
    to, down = end.left + arriving * end.width, end.top
    if down > y:
        bend = max(14.0, (down - y) / 2)
        return (x, y), (x, y + bend), (to, down - bend), (to, down)
    x, to = (start.left + start.width, end.left) if start.middle < end.middle else (start.left, end.left + end.width)
    y, down = start.top + start.height / 2, end.top + end.height / 2
    bend = (to - x) / 2
    return (x, y), (x + bend, y), (to - bend, down), (to, down)


def _pointOf(way: _Curve, part: float) -> _Point:
    """A point of a curve (de Casteljau): C{part} from 0, its start, to 1, its end."""
    points = list(way)
    while len(points) > 1:
        points = [(x + part * (to - x), y + part * (down - y)) for (x, y), (to, down) in pairwise(points)]
    return points[0]
