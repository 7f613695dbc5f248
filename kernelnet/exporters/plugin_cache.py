"""
A component of kernelnet as a cache of libCacheSim (U{https://pypi.org/project/libcachesim/}).

It stands beside C{eviction.so} in what C{kernelnet components export --for libcachesim} made; it needs no kernelnet.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from pathlib import Path
from typing import Any

__all__ = ["Policy", "cache", "misses"]

_NAMES = ("hit", "victim", "insert", "forget", "failed", "free", "memory")


def _library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path.resolve()))
    library.eviction_new.restype = ctypes.c_void_p
    library.eviction_new.argtypes = [ctypes.c_uint32, ctypes.c_uint64]
    for name in _NAMES:
        getattr(library, f"eviction_{name}").argtypes = [ctypes.c_void_p]
    for name in ("hit", "forget"):
        getattr(library, f"eviction_{name}").argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.eviction_victim.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.eviction_victim.restype = ctypes.c_uint32
    library.eviction_insert.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64]
    library.eviction_failed.restype = ctypes.c_char_p
    library.eviction_memory.restype = ctypes.c_uint64
    return library


class Policy:
    """
    The component, with the slots of a cache: what the hooks of a PluginCache have as their data.

    An object may be removed though the component can't be told: its slot is dead then, until the component names it.
    Meanwhile the cache has room for one more, for which the component is asked for a slot: the object that is there
    stays in the cache, but outside of the slots, and is the next that goes.
    """

    def __init__(self, capacity: int, seed: int, library: Path) -> None:
        if not 1 <= capacity < 1 << 32:
            raise ValueError(f"the capacity is {capacity}; it should be a number of objects, at least 1")
        self._library = _library(library)
        self._policy: Any = self._library.eviction_new(capacity, seed)
        if not self._policy:
            raise MemoryError("there is no memory for the component")
        self._slots: dict[int, int] = {}
        self._objects: dict[int, int] = {}
        self._outside: dict[int, None] = {}
        self._dead: set[int] = set()
        self._free: list[int] = list(range(capacity - 1, -1, -1))

    def hit(self, number: int) -> None:
        if number in self._slots:
            self._library.eviction_hit(self._policy, self._slots[number])
        else:
            # for the component it went when its slot was named
            del self._outside[number]
            self.insert(number)

    def evict(self, number: int) -> int:
        """The object that goes so that another can come in.  @raise ValueError: objects have different sizes."""
        if not self._outside:
            self._vacate(number)
        if not self._outside:
            raise ValueError("all objects should have the same size: give readers ignore_obj_size=True")
        gone = next(iter(self._outside))
        del self._outside[gone]
        return gone

    def insert(self, number: int) -> None:
        if not self._free:
            self._vacate(number)
        slot = self._free.pop()
        self._slots[number], self._objects[slot] = slot, number
        self._library.eviction_insert(self._policy, slot, number)

    def _vacate(self, number: int) -> None:
        """Have the component free a slot; the object there, if there is one, is outside from then on."""
        slot = self._library.eviction_victim(self._policy, number)
        if slot in self._objects:
            gone = self._objects.pop(slot)
            del self._slots[gone]
            self._outside[gone] = None
            self._free.append(slot)
        elif slot in self._dead:
            self._dead.remove(slot)
            self._free.append(slot)

    def remove(self, number: int) -> None:
        """Take an object out, if it is there."""
        self._outside.pop(number, None)
        slot = self._slots.pop(number, None)
        if slot is None:
            return
        del self._objects[slot]
        if self._library.eviction_forget(self._policy, slot):
            self._free.append(slot)
        else:
            self._dead.add(slot)

    @property
    def failed(self) -> str:
        """Why the component is asked no more (FIFO has taken over); empty: it works."""
        why = self._library.eviction_failed(self._policy)
        return why.decode() if why else ""

    @property
    def memory(self) -> int:
        """Bytes that the component takes."""
        return int(self._library.eviction_memory(self._policy))

    def free(self) -> None:
        """Give its memory back; nothing of it may be used any more."""
        if self._policy:
            self._library.eviction_free(self._policy)
        self._policy = None


def cache(capacity: int, *, seed: int = 0, library: Path | None = None, policies: list[Policy] | None = None) -> Any:
    """
    A C{libcachesim.PluginCache} of so many objects, all of the same size.

    @param seed: draws the candidates of a rank function.
    @param library: C{eviction.so}, otherwise the one beside this file.
    @param policies: the cache's own `Policy` is put at its end.
    """
    import libcachesim  # type: ignore[import-untyped]

    def begin(parameters: Any) -> Policy:
        policy = Policy(capacity, seed, library or Path(__file__).with_name("eviction.so"))
        if policies is not None:
            policies.append(policy)
        return policy

    return libcachesim.PluginCache(
        capacity,
        begin,
        lambda policy, request: policy.hit(request.obj_id),
        lambda policy, request: policy.insert(request.obj_id),
        lambda policy, request: policy.evict(request.obj_id),
        lambda policy, number: policy.remove(number),
        lambda policy: policy.free(),
        cache_name="kernelnet",
    )


def misses(requests: list[int], capacity: int, *, seed: int = 0, library: Path | None = None) -> int:
    """
    Count, as libCacheSim sees it, how many requests miss.

    @param requests: numbers of objects.
    @raise RuntimeError: the component went wrong on the way.
    """
    import libcachesim

    policies: list[Policy] = []
    counted = cache(capacity, seed=seed, library=library, policies=policies)
    request, count = libcachesim.Request(), 0
    request.obj_size = 1
    for number in requests:
        request.obj_id = number
        count += not counted.get(request)
    if policies and policies[0].failed:
        raise RuntimeError(f"the component went wrong, and FIFO took over: {policies[0].failed}")
    return count


def main() -> None:
    """Print the misses on a trace."""
    parser = argparse.ArgumentParser(description="Misses of the component, counted by libCacheSim.")
    parser.add_argument("trace", type=Path, help="text: a block's number in each line")
    parser.add_argument("--capacity", type=int, required=True, help="number of blocks that the cache holds")
    parser.add_argument("--seed", type=int, default=0, help="draws the candidates of a rank function")
    options = parser.parse_args()
    try:
        requests = [int(line) for line in options.trace.read_text().split()]
        found = misses(requests, options.capacity, seed=options.seed)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f"{parser.prog}: {error}")
    sys.stdout.write(f"{found} of {len(requests)} requests missed\n")


if __name__ == "__main__":
    main()
