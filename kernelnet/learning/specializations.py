"""Capabilities of a trainer of each specialization, and which specializations complement each other."""

from __future__ import annotations

from collections.abc import Iterable

from kernelnet.artifacts import OSFeature

__all__ = [
    "CAPABILITIES",
    "COMPLEMENTARY",
    "canHelpWith",
    "capabilitiesOf",
    "complementaryOrder",
    "complements",
    "featureOf",
]

BASE_CAPABILITIES = ("pattern_recognition", "code_generation", "os_development")

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "general": (),
    "window_manager": ("gui_development", "window_management", "user_interface"),
    "file_system": ("file_operations", "storage_management", "data_structures"),
    "process_manager": ("process_scheduling", "memory_management", "system_calls"),
    "security": ("security_analysis", "encryption", "access_control"),
    "networking": ("network_protocols", "distributed_systems", "communication"),
    "graphics": ("graphics_rendering", "visual_effects", "display_management"),
    "audio": ("audio_processing", "sound_synthesis", "media_handling"),
    "performance": ("optimization", "benchmarking", "performance_analysis"),
}
"""The words a specialization adds to the base capabilities."""

COMPLEMENTARY: frozenset[frozenset[str]] = frozenset(
    frozenset(pair)
    for pair in (
        ("window_manager", "graphics"),
        ("file_system", "process_manager"),
        ("file_system", "networking"),
        ("file_system", "security"),
        ("process_manager", "networking"),
        ("security", "networking"),
        ("security", "process_manager"),
        ("graphics", "audio"),
        ("audio", "process_manager"),
        ("performance", "file_system"),
        ("performance", "process_manager"),
        ("performance", "networking"),
        ("performance", "graphics"),
    )
)
"""
Pairs whose work meets in a kernel: a page cache and a scheduler share memory pressure, a network stack and a
file system share the data path, and performance work helps whoever has code to make cheaper.  Symmetric.
"""

_FEATURES = {
    "networking": OSFeature.NETWORK_STACK.value,
    "general": OSFeature.FILE_SYSTEM.value,
}


def capabilitiesOf(specialization: str, extra: tuple[str, ...] = ()) -> list[str]:
    """
    The capability words of a trainer, its specialization's own name among them, without repetition.

    @raise KeyError: there is no such specialization.
    """
    return list(dict.fromkeys([*BASE_CAPABILITIES, specialization, *CAPABILITIES[specialization], *extra]))


def complements(one: str, other: str) -> bool:
    """Whether two specializations complement each other."""
    return frozenset((one, other)) in COMPLEMENTARY


def complementaryOrder(specializations: Iterable[str], first: str) -> list[str]:
    """
    An order in which each next one complements as many as possible of those before it.

    @param specializations: to be put in order; of equals the one that complements most of all comes first, then the
        one that does so here.
    @param first: one of them.
    """
    left, chosen = [one for one in specializations if one != first], [first]
    while left:
        best = max(
            left, key=lambda one: (sum(complements(one, c) for c in chosen), sum(one in p for p in COMPLEMENTARY))
        )
        left.remove(best)
        chosen.append(best)
    return chosen


def canHelpWith(feature: str, capabilities: list[str]) -> bool:
    """Whether any word of a feature's name is a word of the capabilities: C{file_system} has C{file} and C{system}."""
    words = {word for c in capabilities for word in _words(c)}
    return any(word in words for word in _words(feature))


def featureOf(specialization: str) -> str:
    """The `OSFeature` value that a specialization builds for."""
    return _FEATURES.get(specialization, specialization)


def _words(text: str) -> list[str]:
    return text.lower().replace("_", " ").replace("-", " ").split()
