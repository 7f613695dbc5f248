"""Errors of deploying, each a sentence for people."""

from __future__ import annotations

__all__ = ["DeployError"]


class DeployError(Exception):
    """An export can't be put to use here; the text says why, and what would be right."""
