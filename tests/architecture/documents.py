"""What the documents say of the tree: the list of its packages, and names of files, modules, classes and functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.imports import Tree

__all__ = ["BEGIN", "END", "isThere", "listing", "names", "paths", "withListing"]

BEGIN = ".. Made by python -m tests.architecture packages, from the first lines of docstrings.\n"
"""Line before the list of packages."""

END = ".. End of the list.\n"
"""Line after it."""

ENDINGS = "py|rst|sql|c|h|html|js|css|svg|yaml|cfg|toml|in|json|txt"
"""Ends of files' names that `paths` looks for."""

PLACEHOLDER = "NAME|NNNN"
"""Words that stand for any name."""


def listing(tree: Tree) -> str:
    """Packages, and modules that stand beside them at the top, each with the first line of its docstring."""
    rows = []
    for name, module in sorted(tree.modules.items()):
        isPackage = module.path.endswith("__init__.py")
        if isPackage or name.count(".") == 1:
            last = name.rpartition(".")[2]
            rows.append(("  " * name.count(".") + last + ("/" if isPackage else ".py"), _plain(module.summary)))
    width = max(len(name) for name, _ in rows)
    return "".join(f"    {name:{width}}  {summary}".rstrip() + "\n" for name, summary in rows)


def withListing(text: str, tree: Tree) -> str:
    """A document, its list of packages made again."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the document has no list between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n::\n\n{listing(tree)}\n{END}{after}"


def paths(text: str) -> Iterator[str]:
    """Files and folders that a document names in double backquotes, without those that have a placeholder."""
    for path in re.findall(rf"``([\w.-]+/(?:[\w./-]*\.(?:{ENDINGS})|[\w./-]*/|))``", text):
        if not re.search(PLACEHOLDER, path):
            yield path


def names(text: str) -> Iterator[str]:
    """Dotted names that begin with C{kernelnet.} or C{tests.}."""
    for name in re.findall(r"(?<![\w./-])((?:kernelnet|tests)(?:\.\w+)+)(?![\w/-])", text):
        if not re.search(PLACEHOLDER, name):
            yield name


def isThere(name: str, tree: Tree) -> bool:
    """Whether C{name} is a module, or a class, function, method or attribute that a module's source defines."""
    module = name
    while module not in tree.modules:
        module = module.rpartition(".")[0]
        if not module:
            return False
    rest = name[len(module) + 1 :].split(".") if name != module else []
    here: list[ast.stmt] = tree.modules[module].parsed.body
    for number, part in enumerate(rest):
        found = [(known, node) for known, node in _defined(here) if known == part]
        if not found:
            return False
        inner = [node for _, node in found if isinstance(node, ast.ClassDef)]
        if inner:
            here = inner[0].body
        elif number < len(rest) - 1:
            return False
    return True


def _defined(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                isOwn = isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                if isOwn and isinstance(inner, ast.Attribute) and ast.unparse(inner.value) == "self":
                    yield inner.attr, inner
        elif isinstance(node, ast.Assign):
            yield from ((ast.unparse(target), node) for target in node.targets)
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name, node) for alias in node.names)


def _plain(text: str) -> str:
    """A docstring's line without its markup."""
    return re.sub(r"`+([^`]*)`+|[A-Z]\{([^{}]*)\}", lambda match: match[1] or match[2], text)
