"""Finds plugins by interface and name, as C{twisted.plugin} lists them."""

from __future__ import annotations

from typing import TypeVar

from twisted.plugin import getPlugins

from kernelnet.interfaces import INamed
from kernelnet.interrupt import held

__all__ = ["PluginError", "available", "find"]


P = TypeVar("P", bound=INamed)


class PluginError(Exception):
    """There is no such plugin; the text names those that there are."""


def available(interface: type[P]) -> list[P]:
    """All plugins that provide C{interface}, by name; of two with one name, kernelnet's own counts."""
    found: dict[str, P] = {}
    with held():  # Twisted swallows what is raised while it loads a plugin
        plugins = list(getPlugins(interface))
    for plugin in plugins:
        own = type(plugin).__module__.startswith("kernelnet.")
        if own or plugin.name not in found:
            found[plugin.name] = plugin
    return [found[name] for name in sorted(found)]


def find(interface: type[P], name: str, kind: str) -> P:
    """
    The plugin called C{name}.

    @param kind: what to call it in an error, such as C{"generator"}.
    @raise PluginError: there is none.
    """
    plugins = {plugin.name: plugin for plugin in available(interface)}
    if name in plugins:
        return plugins[name]
    known = ", ".join(plugins) or "none is installed"
    raise PluginError(f"unknown {kind} {name!r}; there are: {known}")
