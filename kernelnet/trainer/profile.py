"""`Profile`: who a trainer is, as it tells the hub and its peers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from kernelnet.learning.specializations import capabilitiesOf, featureOf

__all__ = ["Profile"]


@dataclass(frozen=True)
class Profile:
    """
    One trainer's name and trade.

    @ivar capabilities: words, its specialization's own name among them.
    @ivar feature: the feature that it builds for.
    @ivar version: of kernelnet.
    @ivar generators: names of those that write its components.
    """

    aiId: str
    specialization: str
    capabilities: list[str]
    feature: str
    version: str
    generators: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, aiId: str, specialization: str, capabilities: tuple[str, ...] = (), generators: tuple[str, ...] = ()
    ) -> Profile:
        """
        Profile of a trainer of this version.

        @param capabilities: words besides those of its specialization.
        @raise KeyError: there is no such specialization.
        """
        return cls(
            aiId,
            specialization,
            capabilitiesOf(specialization, capabilities),
            featureOf(specialization),
            version("kernelnet"),
            generators,
        )
