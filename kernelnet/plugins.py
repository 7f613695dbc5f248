"""Finds plugins by interface and name, as C{twisted.plugin} lists them."""

from __future__ import annotations

from typing import Any

from twisted.plugin import getPlugins

__all__ = ["PluginError", "available", "find"]


class PluginError(Exception):
    """There is no such plugin; the text names those that there are."""


def available(interface: Any) -> list[Any]:
    """All plugins that provide C{interface}, by name."""
    return sorted(getPlugins(interface), key=lambda plugin: str(plugin.name))


def find(interface: Any, name: str, kind: str) -> Any:
    """
    The plugin called C{name}.

    @param kind: what to call it in an error, such as C{"generator"}.
    @raise PluginError: there is none.
    """
    plugins = available(interface)
    for plugin in plugins:
        if plugin.name == name:
            return plugin
    known = ", ".join(sorted({plugin.name for plugin in plugins})) or "none is installed"
    raise PluginError(f"unknown {kind} {name!r}; there are: {known}")
