"""
Families: sources that mark their numbers are one structure, whatever the numbers are.

The numbers of a marked source stand between two comments, a line each with name, value, range, scale and meaning; see
`kernelnet.generators.templates.marked_source`.  Two sources are of one family if they are the same but for the values,
and for what no compiler looks at: comments, blanks, meanings.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["BEGIN", "END", "LINE", "MAX_PARAMETERS", "MAX_SOURCE", "Family", "Tunable", "familyOf", "numbersOf"]

BEGIN, END = "/* begin parameters", "/* end parameters */\n"
"""Beginning of the comment before the parameters, and the line after them."""

MAX_PARAMETERS = 32
"""Maximum number of marked numbers in a source."""

MAX_SOURCE = 128 * 1024
"""Maximum number of characters of a source that is looked at: our own have 20,000 at most."""

_MAX_LINE = 512
"""Characters of a marked number's line: to match takes time that grows with their square."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"

LINE = re.compile(
    rf"#define\s+([A-Za-z_]\w{{0,63}})\s+({_NUMBER})\s*"
    rf"/\*\s*({_NUMBER})\s*\.\.\s*({_NUMBER})((?:[ ,]+(?:whole|log|zero))*)\s*:\s*(.*?)\s*\*/",
    re.ASCII,
)
"""A marked number: its name, value, least and most, words for its scale, and meaning."""

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<blank>\s+)"""
    r"""|(?P<code>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|[^\s"'/]+|/)""",
    re.DOTALL,
)


class Tunable(Struct, frozen=True):
    """
    A number that a family's search may choose.

    @ivar scale: of the words C{whole}, C{log} and C{zero} those that apply, with blanks between.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    least: float
    most: float
    scale: Annotated[str, Meta(max_length=16)] = ""


class Family(Struct, frozen=True):
    """
    Structure of a component, as its source has it and its manifest repeats it.

    @ivar digest: SHA-256 (hex) of the source without the values, comments and blanks.
    @ivar parameters: in the order of the manifest's own, which are their values as the author says; see `numbersOf`.
    """

    digest: Annotated[str, Meta(min_length=64, max_length=64)]
    parameters: Annotated[list[Tunable], Meta(min_length=1, max_length=MAX_PARAMETERS)]


def familyOf(source: str) -> Family | None:
    """Family of a C source, a stranger's as well; C{None}: it marks no numbers, or not as it should."""
    marked = _marked(source)
    if marked is None:
        return None
    begin, end, parameters, _ = marked
    marks = "".join(f"{each.name} {each.least!r} {each.most!r} {each.scale}\n" for each in parameters)
    parts = (_code(source[:begin]), marks, _code(source[end + len(END) :]))
    hashed = b"".join(hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest() for part in parts)
    return Family(hashlib.sha256(hashed).hexdigest(), parameters)


def numbersOf(source: str) -> tuple[float, ...]:
    """
    Values of the numbers that a C source marks, in the order of its family's C{parameters}: those that were measured.

    @return: empty: it is of no family, or one is too large for a number.
    """
    marked = _marked(source)
    return tuple(marked[3]) if marked is not None and all(map(math.isfinite, marked[3])) else ()


def _marked(source: str) -> tuple[int, int, list[Tunable], list[float]] | None:
    """Where the marked numbers of a source begin and end, what they are, and their values."""
    begin = source.find(BEGIN)
    end = source.find(END, begin)
    first = source.find("\n", begin)
    if begin < 0 or end < 0 or not begin < first <= end or len(source) > MAX_SOURCE or source.count(BEGIN) > 1:
        return None
    parameters: list[Tunable] = []
    values: list[float] = []
    for line in filter(None, map(str.strip, source[first + 1 : end].split("\n"))):
        found = LINE.fullmatch(line) if len(line) <= _MAX_LINE else None
        if found is None or len(parameters) == MAX_PARAMETERS:
            return None
        words = set(re.split("[ ,]+", found[5])) - {""}
        scale = " ".join(word for word in ("whole", "log", "zero") if word in words)
        least, most = float(found[3]), float(found[4])
        if not (math.isfinite(least) and math.isfinite(most)):
            return None
        parameters.append(Tunable(found[1], least, most, scale))
        values.append(float(found[2]))
    if not parameters or len({each.name for each in parameters}) < len(parameters):
        return None
    return begin, end, parameters, values


def _code(source: str) -> str:
    """Text of a source without comments and with one blank, or the end of a line, for many; strings as they are."""
    parts: list[str] = []
    gap = ""
    for token in _TOKEN.finditer(source):
        if token["code"] is not None:
            parts += [gap if parts else "", token["code"]]
            gap = ""
        elif token["blank"] is not None and "\n" in token["blank"]:
            gap = "\n"
        else:
            gap = gap or " "
    return "".join(parts)
