"""Observations: components at work, as AIs tell of them; no verdict depends on any."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct

from kernelnet.hub.storage.log_pages import Event

__all__ = [
    "NewObservation",
    "ObservationBounds",
    "Observations",
    "ObservationsQueries",
    "ReadObservation",
    "StoredObservation",
]


class NewObservation(Struct, frozen=True, gc=False):
    """
    An observation that C{reporter} made.

    @ivar digest: of the component that was at work.
    @ivar environment: a value of `kernelnet.artifacts.Environment`.
    @ivar conditions: digest of what it was seen under.
    @ivar body: all of it as JSON.
    """

    reporter: str
    componentId: str
    digest: str
    environment: str
    site: str
    conditions: str
    timestamp: str
    body: bytes


class StoredObservation(NamedTuple):
    """The newest observation of an AI on a component, in an environment, at a site, under the same conditions."""

    reporter: str
    timestamp: str
    body: bytes


class ReadObservation(NamedTuple):
    """An observation with the digest of its component."""

    reporter: str
    digest: str
    body: bytes


class ObservationBounds(NamedTuple):
    """
    Maximum number of rows.

    @ivar each: of one AI with one digest; C{total}: in all.
    """

    each: int
    total: int


class ObservationsQueries(Protocol):
    """Questions about observations."""

    def onDigest(self, digest: str, each: int, limit: int) -> list[StoredObservation]:
        """Of each AI the newest C{each} on this digest; of these the newest C{limit}, by seq descending."""

    def inEnvironment(self, environment: str, limit: int) -> list[ReadObservation]:
        """The newest C{limit} in an environment, by seq descending."""

    def count(self) -> int:
        """The number of them."""


class Observations(ObservationsQueries, Protocol):
    """Changes to observations."""

    def put(self, event: Event, observation: NewObservation, bounds: ObservationBounds) -> None:
        """
        Store what came with C{event}, in the place of what the same AI had with the same component id, digest,
        environment, site and conditions; and keep the bounds.

        Over C{each} the oldest (by seq) of this AI with this digest goes; over C{total} the oldest of the owner whose
        AIs have most, an AI without one being its own; of several that of the first by voice
        (`kernelnet.hub.storage.sql.owners`).
        """
