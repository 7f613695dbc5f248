"""Owners of AIs, by whom votes are counted."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Owners", "OwnersQueries"]


class OwnersQueries(Protocol):
    """
    Questions about owners.

    An AI's *voice* is its owner, or itself where it has none.  All that counts votes counts voices.
    """

    def of(self, aiId: str) -> str | None:
        """The owner of an AI; C{None}: it has none."""

    def all(self) -> dict[str, str]:
        """The owner of each AI that has one."""


class Owners(OwnersQueries, Protocol):
    """Changes to owners."""

    def set(self, aiId: str, owner: str | None) -> None:
        """
        Give an AI this owner; C{None}: it speaks for itself.

        All that was counted is counted anew, as if it had been so always: the verdicts on what it shared and reported
        on (`Components.countVerdicts`), and the rules of workbenches that it has a voice on (`Components.followRules`).
        """
