"""Errors of a trainer as a whole."""

from __future__ import annotations

__all__ = ["TrainerFailed"]


class TrainerFailed(Exception):
    """Reason why a trainer ended for good; the text is for the user."""
