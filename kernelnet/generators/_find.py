"""The generators that are installed: plugins of the C{twisted.plugins} namespace."""

from __future__ import annotations

from typing import Any

from twisted.plugin import getPlugins

from kernelnet.interfaces import IComponentGenerator

__all__ = ["UnknownGenerator", "available", "find"]


class UnknownGenerator(LookupError):
    """No installed generator has this name; the text names those that are there."""


def available() -> dict[str, Any]:
    """`IComponentGenerator`s by name, sorted; of two with one name, kernelnet's own counts."""
    found: dict[str, Any] = {}
    for generator in getPlugins(IComponentGenerator):
        own = type(generator).__module__.startswith("kernelnet.")
        if own or generator.name not in found:
            found[generator.name] = generator
    return dict(sorted(found.items()))


def find(name: str) -> Any:
    """
    @return: the `IComponentGenerator` of that name.
    @raise UnknownGenerator: there is none.
    """
    known = available()
    if name not in known:
        names = ", ".join(known) or "none; is kernelnet installed?"
        raise UnknownGenerator(f"no generator is called {name!r}; installed: {names}")
    return known[name]
