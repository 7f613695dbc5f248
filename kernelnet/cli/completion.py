"""
Words for the shell to complete: names of plugins, and what is in the hub's database.

A mistake, such as a state directory that isn't there, completes to nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click
from click.shell_completion import CompletionItem

from kernelnet.cli.common import directory
from kernelnet.hub.storage.sqlite import DatabaseError, connectReader
from kernelnet.interfaces import IComponentGenerator, IWorkbench
from kernelnet.plugins import available

__all__ = ["aiIds", "componentIds", "generatorNames", "workbenchNames"]

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


def _stored(sql: str) -> Complete:
    """@param sql: what there is in the database; C{?}: at most so many."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        path = directory(context.params.get("state")).database
        if not path.exists():
            return []
        try:
            with closing(connectReader(path)) as connection:
                found = [row[0] for row in connection.execute(sql, (incomplete, _MOST))]
        except (sqlite3.Error, DatabaseError):
            return []
        return [CompletionItem(name) for name in found if _HARMLESS.fullmatch(name)]

    return complete


workbenchNames = _plugins(IWorkbench)
generatorNames = _plugins(IComponentGenerator)
componentIds = _stored(
    "SELECT component_id FROM shared_components WHERE kind = 'component' AND substr(component_id, 1, length(?1)) = ?1"
    " ORDER BY seq DESC LIMIT ?2"
)
aiIds = _stored(
    "SELECT DISTINCT ai_id FROM tokens WHERE substr(ai_id, 1, length(?1)) = ?1 AND revoked_at IS NULL"
    " ORDER BY ai_id LIMIT ?2"
)
