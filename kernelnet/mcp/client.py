"""A client for scripts: tools by their names, jobs polled until they are done, and a transcript of what was called."""

from __future__ import annotations

import json
import time
from typing import Any

from mcp.client import Client

__all__ = ["Refused", "ScriptedAgent"]

SHOWN = 240
"""Characters of an answer that the transcript keeps."""


class Refused(Exception):
    """A tool's result that is an error; its text is what an agent reads."""


class ScriptedAgent:
    """
    @ivar transcript: calls with their answers, in lines.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.transcript: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Result of a tool; of one that gives a job, the job's.  @raise Refused: it is an error."""
        answer = await self.raw(tool, **arguments)
        while isinstance(answer, dict) and answer.get("state") in ("waiting", "running"):
            answer = await self.raw("get_job", job=answer["job"])
        if isinstance(answer, dict) and "job" in answer:
            return answer["result"]
        return answer["result"] if isinstance(answer, dict) and set(answer) == {"result"} else answer

    async def raw(self, tool: str, **arguments: Any) -> Any:
        """The very answer of one call.  @raise Refused: it is an error."""
        began = time.monotonic()
        result = await self._client.call_tool(tool, arguments)
        shown = {key: value if len(str(value)) < 60 else f"{str(value)[:57]}…" for key, value in arguments.items()}
        text = " ".join(getattr(result.content[0], "text", "").split()) if result.content else ""
        asked = f"{tool}({json.dumps(shown)}) -> "
        if self.transcript and self.transcript[-1].startswith(asked):
            self.transcript.pop()  # of what is asked again and again the last answer is worth reading
        self.transcript.append(f"{asked}{time.monotonic() - began:.2f} s: {text[:SHOWN]}")
        if result.is_error:
            raise Refused(getattr(result.content[0], "text", ""))
        return result.structured_content
