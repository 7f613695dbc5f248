"""Errors of exporting, each a sentence for people."""

from __future__ import annotations

__all__ = ["ExportError", "Untranslatable"]


class ExportError(Exception):
    """A component can't be exported; the text says why, and what would be right."""


class Untranslatable(ExportError):
    """A module has what isn't translated to C; the text names it."""
