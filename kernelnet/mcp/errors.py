"""Mistakes of an agent, each in a line that says what would be right."""

from __future__ import annotations

__all__ = ["AgentError", "Cancelled"]


class AgentError(Exception):
    """A call that can't be answered; the text is for the agent, who reads it and tries again."""


class Cancelled(AgentError):
    """A job was cancelled."""
