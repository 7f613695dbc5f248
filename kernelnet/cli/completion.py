"""
Words for the shell to complete: names of plugins, and what is in the hub's database.

A mistake, such as a state directory that isn't there, completes to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from kernelnet.cli.common import directory
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.hub.storage.transaction import Reader
from kernelnet.interfaces import IComponentGenerator, IExporter, IWorkbench
from kernelnet.plugins import available

__all__ = ["aiIds", "componentIds", "exporterNames", "generatorNames", "workbenchNames"]

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_MOST = 200
_HARMLESS = re.compile(r"[\w.@+-]{1,200}", re.ASCII)
"""An id is a stranger's text: what is more than a word in a shell is not offered."""


def _plugins(interface: Any) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [
            CompletionItem(plugin.name, help=plugin.description)
            for plugin in available(interface)
            if plugin.name.startswith(incomplete)
        ]

    return complete


def _stored(find: Callable[[Reader, str, int], list[str]]) -> Complete:
    """@param find: the names in the database that begin so, the first that many."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            database = databaseOf(directory(context.params.get("state")).path)
            if not database.exists():
                return []
            with database.reading() as reader:
                found = find(reader, incomplete, _MOST)
        except DatabaseError:
            return []
        return [CompletionItem(name) for name in found if _HARMLESS.fullmatch(name)]

    return complete


workbenchNames = _plugins(IWorkbench)
generatorNames = _plugins(IComponentGenerator)
exporterNames = _plugins(IExporter)
componentIds = _stored(lambda reader, beginning, limit: reader.components.idsBeginning(beginning, limit))
aiIds = _stored(lambda reader, beginning, limit: reader.tokens.idsBeginning(beginning, limit))
