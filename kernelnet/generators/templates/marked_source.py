"""
Templates of C sources that mark their numbers themselves: what an agent or a language model writes, and what is shared.

The numbers stand between two comments, a line each: name, value, range, scale and meaning::

    /* begin parameters */
    #define HALF_LIFE 64.0 /* 1..4096 log: requests until a count halves */
    #define LOOKED_AT 8 /* 1..64 whole: slots that are compared */
    /* end parameters */

C{whole}: whole numbers only, an C{i32} in the code; C{log}: tried evenly by their logarithms; C{zero}: 0 is worth
trying, since it switches something off.  `Template.bake` writes the same form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from kernelnet.families import BEGIN, END, LINE, MAX_PARAMETERS
from kernelnet.generators.templates.parameters import Parameter, Template

__all__ = ["EXAMPLE", "MarkError", "marked"]

EXAMPLE = "#define HALF_LIFE 64.0 /* 1..4096 log: requests until a count halves */"
"""A line as it should be, for whoever got one wrong."""

_MAX_MEANING = 200


class MarkError(ValueError):
    """The numbers of a source are marked wrongly; names the line, and what would be right."""


def marked(source: str, workbench: str, name: str = "marked") -> Template | None:
    """
    The template that a source is.

    @param name: of the family.
    @return: its one known vector has the numbers as they stand; C{None}: the source marks none.
    @raise MarkError: it marks them wrongly.
    """
    begin = source.find(BEGIN)
    if begin < 0:
        return None
    end = source.find(END, begin)
    first = source.find("\n", begin)
    if end < 0 or first < 0 or first > end or source.count(BEGIN) > 1:
        raise MarkError(f"parameters stand between two lines, once: {BEGIN} */ and {END.strip()}")
    if "#include" in source[end:]:
        raise MarkError("parameters stand after all #include lines: their types come from there")
    parameters: list[Parameter] = []
    values: list[float] = []
    for number, line in enumerate(source[first + 1 : end].split("\n"), source.count("\n", 0, first) + 2):
        if not line.strip():
            continue
        parameter, value = _parameter(line.strip(), number)
        if any(other.name == parameter.name for other in parameters):
            raise MarkError(f"line {number}: {parameter.name} is a parameter already")
        parameters.append(parameter)
        values.append(value)
        if len(parameters) > MAX_PARAMETERS:
            raise MarkError(f"line {number}: at most {MAX_PARAMETERS} numbers are searched: fix the others")
    if not parameters:
        return None
    known = tuple(parameter.normalized(value) for parameter, value in zip(parameters, values, strict=True))
    return Template(name, workbench, source, tuple(parameters), (known,), _summary)


def _parameter(line: str, number: int) -> tuple[Parameter, float]:
    found = LINE.fullmatch(line)
    if found is None:
        raise MarkError(f"line {number} is no parameter: {line[:80]!r}; one is such as {EXAMPLE}")
    name, value, least, most = found[1], *(float(text) for text in found.group(2, 3, 4))
    words = set(re.split("[ ,]+", found[5])) - {""}
    whole, log, zero = (word in words for word in ("whole", "log", "zero"))
    if not (all(map(math.isfinite, (value, least, most))) and least < most):
        raise MarkError(f"line {number}: {name} has the range {least:g}..{most:g}: the second must be the greater")
    if whole and not all(number == int(number) and abs(number) < 2**31 for number in (value, least, most)):
        raise MarkError(f"line {number}: {name} is whole: so are its value and both ends, below 2^31")
    if not least <= value <= most and not (zero and value == 0):
        raise MarkError(f"line {number}: {name} is {value:g}, which is not in its range {least:g}..{most:g}")
    if zero and not least <= 0 <= most:
        raise MarkError(f"line {number}: {name} may be 0, which is not in its range {least:g}..{most:g}")
    if log and (least < 0 or (least == 0 and not zero)):
        raise MarkError(f"line {number}: {name} has a log scale: its range begins above 0 (or at 0, with zero)")
    return Parameter(name, least, most, whole, zero, found[6][:_MAX_MEANING], log), value


def _summary(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in numbers.items())[:200]
