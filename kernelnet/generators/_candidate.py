"""What a generator hands over."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Candidate"]


@dataclass(frozen=True)
class Candidate:
    """
    A component as its generator sees it: not yet measured on anything but train.

    @ivar source: C, complete with all parameters; it includes the workbench's header.
    @ivar parents: digests of the components it was made from.
    @ivar parameters: numbers from which a generator of the same kind could go on; published in the manifest.
    @ivar note: what it is, in one line for people.
    """

    source: str
    parents: tuple[str, ...] = ()
    parameters: tuple[float, ...] = ()
    note: str = ""
