"""What of a tree is against the rules: one function for each kind, each of which returns lines to read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from tests.architecture.imports import AnyParameter, Import, Module, Tree
from tests.architecture.rules import ENGINES, LONG, MAX_LINES, NEVER, ROOMS, SQLITE, TYPED, isAllowed, roomOf

__all__ = [
    "CHECKS",
    "againstRules",
    "anyParameters",
    "circles",
    "components",
    "engineImports",
    "longModules",
    "meetings",
    "privateImports",
    "questions",
    "sqliteImports",
    "untypedParameters",
]

_RULES = "tests/architecture/rules.py"
"""Where to look who may import whom."""


def circles(tree: Tree) -> list[str]:
    """Groups of modules that import each other, each with a shortest way around."""
    below = _below(tree)
    lines = []
    for group in components(below):
        if len(group) > 1 or group[0] in below[group[0]]:
            way = min((_wayBack(start, below, set(group)) for start in group), key=lambda way: (len(way), way))
            lines.append(f"{len(group)} modules: {', '.join(group)}; such as {' -> '.join(way)}")
    return lines


def againstRules(tree: Tree) -> list[str]:
    """Imports that go against the arrows of `rules.ROOMS`, and modules that no rule speaks of."""
    lines = [
        f"{name}: no rule speaks of it; give it a room in {_RULES}, and that room a place in picture.py"
        for name in sorted(tree.modules)
        if roomOf(name) is None
    ]
    for each in tree.imports:
        top = each.target.partition(".")[0]
        if top in {"tests", "benchmarks", "examples"}:
            lines.append(_line(tree, each, f"imports {each.target}, which is not installed"))
        elif not isAllowed(each.source, each.target):
            room = roomOf(each.source)
            below = ", ".join(ROOMS[room] if room else ()) or "nothing"
            text = f"{room} may not import {roomOf(each.target)} ({each.target}); it stands on {below} ({_RULES})"
            lines.append(_line(tree, each, text))
    return lines


def meetings(tree: Tree) -> list[str]:
    """Imports between packages that never meet."""
    return [
        _line(tree, each, f"imports {each.target}: {why}")
        for each in tree.imports
        for source, target, why in NEVER
        if _isIn(each.source, source) and _isIn(each.target, target)
    ]


def privateImports(tree: Tree) -> list[str]:
    """Imports of a C{_private} module from outside its package."""
    lines = []
    for each in tree.inside():
        parts = each.target.split(".")
        for depth, part in enumerate(parts):
            if part.startswith("_") and not part.endswith("__") and not _isIn(each.source, ".".join(parts[:depth])):
                package = ".".join(parts[:depth])
                lines.append(_line(tree, each, f"imports {each.target}, which is for {package} alone"))
                break
    return lines


def sqliteImports(tree: Tree) -> list[str]:
    """Imports of C{sqlite3} outside the folders of `rules.SQLITE`."""
    folders = tuple(folder for folder, _ in SQLITE)
    instead = "ask the hub's by a named statement, a trainer's through its Store"
    return [
        _line(tree, each, f"imports sqlite3; of databases, {instead} ({_RULES})")
        for each in tree.imports
        if _isIn(each.target, "sqlite3") and not _path(each.source).startswith(folders)
    ]


def engineImports(tree: Tree) -> list[str]:
    """Imports of a storage engine, other than by itself and by those who open databases (`rules.ENGINES`)."""
    return [
        _line(tree, each, f"imports {each.target}; only {', '.join(openers)} may: use kernelnet.hub.storage.engine")
        for each in tree.imports
        for engine, openers in ENGINES.items()
        if _isIn(each.target, engine) and not any(_isIn(each.source, known) for known in (engine, *openers))
    ]


def longModules(tree: Tree, reasons: Mapping[str, str] = LONG) -> list[str]:
    """Modules of more than `rules.MAX_LINES` lines without a reason, and reasons for what isn't that long."""
    long = {module.path: module.lines for module in tree.modules.values() if module.lines > MAX_LINES}
    instead = f"split it by concern, or say in LONG of {_RULES} why it is one thing"
    lines = [f"{path}: {count} lines: {instead}" for path, count in sorted(long.items()) if path not in reasons]
    return lines + [f"{path}: is not that long; it needs no reason" for path in reasons if path not in long]


def questions(tree: Tree) -> list[str]:
    """Docstrings that begin with neither a noun nor a verb."""
    return sorted(
        f"{module.path}:{line}: {text.partition(chr(10))[0]}"
        for module in tree.modules.values()
        for line, text in module.docstrings()
        if re.match(r"(What|How|So many)\b", text)
    )


def anyParameters(tree: Tree) -> list[AnyParameter]:
    """All parameters that are annotated with nothing but C{Any}."""
    return sorted(each for module in tree.modules.values() for each in module.anyParameters())


def untypedParameters(tree: Tree) -> list[str]:
    """Those of them whose names are among `rules.TYPED`."""
    return [
        f"{each.path}:{each.line}: {each.function}({each.name}: Any)"
        for each in anyParameters(tree)
        if each.name in TYPED
    ]


CHECKS: Mapping[str, Callable[[Tree], list[str]]] = {
    "circles of modules": circles,
    "imports against the rules": againstRules,
    "imports between packages that never meet": meetings,
    "imports of private modules from outside": privateImports,
    "imports of sqlite3 outside the storages": sqliteImports,
    "imports of a storage engine past the seam": engineImports,
    f"modules of more than {MAX_LINES} lines": longModules,
    "parameters scenario, bench, problem: Any": untypedParameters,
    "docstrings that begin with What, How, So many": questions,
}
"""All checks, by what they find."""


def components(below: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Strongly connected components of a graph (Tarjan 1972), each and all of them in order."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in below[node]:
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            cut = stack.index(node)
            found.append(sorted(stack[cut:]))
            del stack[cut:]

    for node in sorted(below):
        if node not in number:
            visit(node)
    return sorted(found)


def _below(tree: Tree) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {name: [] for name in tree.modules}
    for each in tree.inside():
        below[each.source].append(each.target)
    return below


def _wayBack(start: str, below: Mapping[str, Iterable[str]], within: set[str]) -> list[str]:
    """A shortest way from C{start} back to it."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        longer = []
        for way in ways:
            for other in below[way[-1]]:
                if other == start:
                    return [*way, start]
                if other in within and other not in seen:
                    seen.add(other)
                    longer.append([*way, other])
        ways = longer
    raise AssertionError(f"{start} is in no circle")


def _isIn(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _path(module: str) -> str:
    return module.replace(".", "/") + "/"


def _line(tree: Tree, each: Import, text: str) -> str:
    module: Module = tree.modules[each.source]
    return f"{module.path}:{each.line}: {text}"
