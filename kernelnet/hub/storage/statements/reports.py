"""Reports on components."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct

from kernelnet.hub.storage.log_pages import Event

__all__ = [
    "NewReport",
    "Reports",
    "ReportsQueries",
    "StoredReport",
]


class NewReport(Struct, frozen=True, gc=False):
    """
    A report that C{reporter} made.

    @ivar digest: of the component it is about; C{""} where it names none.
    @ivar verdict: C{confirmed}, C{refuted}, C{unmeasurable}; C{None}: the author's own figures.
    """

    reporter: str
    componentId: str
    digest: str
    verdict: str | None
    timestamp: str
    body: bytes


class StoredReport(NamedTuple):
    """The newest report of an AI on a component's id and digest."""

    reporter: str
    verdict: str | None
    timestamp: str
    body: bytes


class ReportsQueries(Protocol):
    """Questions about reports."""

    def ofComponent(self, componentId: str, limit: int, below: int) -> list[StoredReport]:
        """The newest C{limit} on components of this id with a body of less than C{below} bytes, by seq descending."""

    def onDigest(self, digest: str, limit: int, below: int) -> list[StoredReport]:
        """The same by digest."""

    def confirming(self, digest: str, author: str, limit: int, below: int) -> list[StoredReport]:
        """
        Of each voice (`Owners`) but C{author}'s the newest on this digest with the verdict C{confirmed} and a body of
        less than C{below} bytes; the newest C{limit}, by seq descending.
        """

    def idsOn(self, digest: str, reporter: str, without: str, limit: int) -> int:
        """The number of component ids but C{without} that C{reporter} has reports with this digest on, to C{limit}."""

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str, str | None]]:
        """(reporter, verdict, its owner) of those on this digest with a verdict, but of C{author}'s voice; by seq."""

    def lastConfirmation(self) -> str | None:
        """The C{timestamp} of the newest (by seq) with the verdict C{confirmed}; C{None}: there is none."""

    def count(self) -> int:
        """The number of them."""


class Reports(ReportsQueries, Protocol):
    """Changes to reports."""

    def put(self, event: Event, report: NewReport) -> None:
        """
        Store what came with C{event}, in the place of what the same AI had on the same component id and digest.

        It may be written later in the transaction, together with others.
        """
