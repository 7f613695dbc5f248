"""Words that all tools have in common: how they are registered, and how their mistakes reach the agent."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.jobs import Tell
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["Registry", "tellingOf"]

P = ParamSpec("P")
R = TypeVar("R")


class Registry:
    """
    Registers tools with a server.

    An agent's mistake, and a policy's, is a result that it can read; what is no such mistake stays in the log.
    """

    def __init__(self, server: MCPServer[Any]) -> None:
        self._server = server

    def add(self, title: str, *, reads: bool = False, again: bool = False) -> Callable[..., Any]:
        """
        Decorator of a tool, which is a coroutine function; its docstring is what the agent is told of it.

        @param reads: it changes nothing that lasts; C{again}: it makes no difference to call it twice.
        """
        hints = ToolAnnotations(
            title=title,
            read_only_hint=reads,
            destructive_hint=False,
            idempotent_hint=reads or again,
            open_world_hint=False,
        )

        def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
            @functools.wraps(function)
            async def taught(*arguments: P.args, **named: P.kwargs) -> R:
                try:
                    return await function(*arguments, **named)
                except (AgentError, WorkbenchError) as error:
                    raise ToolError(str(error)) from None

            self._server.add_tool(taught, title=title, annotations=hints)
            return taught

        return decorate


def tellingOf(context: Context[Any, Any]) -> Tell:
    """Where the progress of a call's job is told: to who asked for it."""

    async def tell(progress: float, words: str) -> None:
        await context.report_progress(progress, 1.0, words or None)

    return tell
