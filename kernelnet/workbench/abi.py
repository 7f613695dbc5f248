"""
The exports of a component of one kind, and the trusted driver that runs it.

A bench has one ABI or several.  Which one a module is for is seen from what it exports.  Two kinds are usual:

  - C{<bench>/full/<n>}: the component keeps whatever state it likes, and answers the driver's calls;
  - C{<bench>/rank/<n>}: it is one pure function of numbers that the driver keeps.  Genetic programming lives here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = ["PARAMETERS", "TERMS", "Abi", "HasAbis", "Signature", "rankAbi", "rankAbiOf"]

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Parameter and result types, such as C{(("i32", "i64"), ("i32",))}."""

PARAMETERS: Mapping[str, Signature] = {"kn_param": (("i32", "f64"), ())}
"""Exports that every component may have besides: C{kn_param(index, value)}, called before anything else in a search."""

TERMS: Mapping[str, str] = {
    "age": "time since it was last served",
    "life": "time that it has been here, or waits",
    "frequency": "how often, or for how long, it was served since it came",
    "gap": "how long it will be until it is wanted again, or done, as the past tells; the best guess first",
    "history": "how often it was here before",
    "size": "how much of it there is, as far as that is said",
    "pressure": "how much more is wanted than there is room for",
    "crowd": "how many like it are here",
}
"""
Words for features of rank functions that several benches share: what a bench ranks (a block, a task, a flow, a
sequence) is "it".  So that an expression over one bench's features can be tried on another
(`kernelnet.expressions.translation`).
"""


@dataclass(frozen=True)
class Abi:
    """
    @ivar identifier: such as C{"file_system/full/2"}.
    @ivar driver: the C source of the trusted driver; its folder has what it includes besides the bench's header.
    @ivar required: the functions that a module exports, by name.
    @ivar flags: compiler flags for the driver, such as C{("-DKN_RANK",)}.
    @ivar optional: further functions that a module may export, by name; one of another signature is refused.
    @ivar included: files that the driver includes, besides the bench's header.
    @ivar function: the one function of a rank ABI; empty for others.
    @ivar features: the names of its parameters, all f64, in order.
    @ivar terms: which of `TERMS` a feature is, by feature; those that are none of them are left out.  Of several
        features for one term the likest comes first.
    @ivar known: expressions over the features that are known to be good, in the syntax of
        `kernelnet.expressions.syntax`: where a search may begin.
    """

    identifier: str
    driver: Path
    required: Mapping[str, Signature]
    flags: tuple[str, ...] = ()
    included: tuple[Path, ...] = ()
    optional: Mapping[str, Signature] = field(default_factory=lambda: dict(PARAMETERS))
    function: str = ""
    features: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[Path, ...]:
        """All files that the driver is made of, for the bench's digest."""
        return (self.driver, *self.included)


def rankAbi(
    identifier: str,
    driver: Path,
    features: tuple[str, ...],
    *,
    function: str = "kn_rank",
    known: tuple[str, ...] = (),
    flags: tuple[str, ...] = ("-DKN_RANK",),
    included: tuple[Path, ...] = (),
    terms: Mapping[str, str] | None = None,
    optional: Mapping[str, Signature] | None = None,
) -> Abi:
    """
    An ABI of one pure function C{f64 kn_rank(f64 feature, …)}.

    @param flags: compiler flags for the driver; the default is for one that serves several ABIs by C{#ifdef KN_RANK}.
    @param optional: exports that a component may have besides `PARAMETERS`.
    @raise ValueError: C{terms} names what is no feature, or none of `TERMS`.
    """
    for feature, term in (terms or {}).items():
        if feature not in features or term not in TERMS:
            raise ValueError(
                f"{identifier}: the feature {feature!r} is {term!r}; it should be one of {', '.join(TERMS)}"
            )
    signature: Signature = (("f64",) * len(features), ("f64",))
    return Abi(
        identifier,
        driver,
        {function: signature},
        flags=flags,
        included=included,
        optional={**PARAMETERS, **(optional or {})},
        function=function,
        features=features,
        known=known,
        terms=dict(terms or {}),
    )


class HasAbis(Protocol):
    """A workbench, or a problem on it."""

    @property
    def abis(self) -> Sequence[Abi]: ...


def rankAbiOf(bench: HasAbis | None) -> Abi | None:
    """The ABI of a bench whose components are expressions; C{None}: the bench isn't here, or has none."""
    return next((abi for abi in getattr(bench, "abis", ()) if abi.function), None)
