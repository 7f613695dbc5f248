"""Tables of what strangers sent, within a number of entries and of bytes: who fills most of one loses the oldest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

__all__ = ["BoundedTable", "EncodedTable"]

K = TypeVar("K")
V = TypeVar("V")

_Share = tuple[bool, str]
"""Whether its entries are protected, and whose they are."""


class _Entry(NamedTuple, Generic[V]):
    share: _Share
    size: int
    value: V


class BoundedTable(Mapping[K, V]):
    """
    Entries of many sources, the oldest first.

    What is protected, such as what this trainer made itself, goes only while it fills more than half: so no number of
    strangers displaces it, nor does it keep them out.

    @ivar most: maximum number of entries.
    @ivar room: maximum number of bytes that they take together.
    """

    def __init__(self, most: int, room: int) -> None:
        self.most = most
        self.room = room
        self._entries: dict[K, _Entry[V]] = {}
        self._keys: dict[_Share, dict[K, None]] = {}
        self._bytes: Counter[_Share] = Counter()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} of {self.most} entries, {self.size} of {self.room} bytes>"

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._bytes.total()

    def __getitem__(self, key: K) -> V:
        return self._entries[key].value

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def put(self, key: K, source: str, value: V, size: int, *, isProtected: bool = False) -> list[K]:
        """
        Keep an entry as the newest, in place of one that had its key.

        @param size: bytes that it takes.
        @return: keys of those that had to go for it; its own among them where it is too large, or is of who fills most.
        """
        self.discard(key)
        self._enter(key, _Entry((isProtected, source), size, value))
        gone = []
        while self._entries and (len(self) > self.most or self.size > self.room):
            gone.append(self._next())
            self.discard(gone[-1])
        return gone

    def protect(self, key: K) -> None:
        """An entry is protected from now on."""
        entry = self._entries.get(key)
        if entry is not None and not entry.share[0]:
            self._leave(key, entry)
            self._enter(key, entry._replace(share=(True, entry.share[1])))

    def discard(self, key: K) -> None:
        """Keep an entry no longer, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._leave(key, entry)

    def _enter(self, key: K, entry: _Entry[V]) -> None:
        self._entries[key] = entry
        self._keys.setdefault(entry.share, {})[key] = None
        self._bytes[entry.share] += entry.size

    def _leave(self, key: K, entry: _Entry[V]) -> None:
        keys = self._keys[entry.share]
        del keys[key]
        self._bytes[entry.share] -= entry.size
        if not keys:
            del self._keys[entry.share], self._bytes[entry.share]

    def _next(self) -> K:
        """Who goes next: the oldest of whose are most, by what there is too much of."""
        ofMany = len(self) > self.most
        filled: dict[_Share, int] = {share: len(keys) for share, keys in self._keys.items()} if ofMany else self._bytes
        protected = sum(much for (isProtected, _), much in filled.items() if isProtected)
        isTooMuch = protected > (self.most if ofMany else self.room) // 2
        mayGo = [share for share in self._keys if share[0] == isTooMuch] or list(self._keys)
        return next(iter(self._keys[max(mayGo, key=filled.__getitem__)]))


class EncodedTable(Mapping[K, V]):
    """
    The same of values that are kept as they were encoded, and decoded when they are asked for.

    @param decode: makes a value of its bytes.
    """

    def __init__(self, most: int, room: int, decode: Callable[[bytes], V]) -> None:
        self.kept: BoundedTable[K, bytes] = BoundedTable(most, room)
        self._decode = decode

    def __repr__(self) -> str:
        return repr(self.kept)

    def __getitem__(self, key: K) -> V:
        return self._decode(self.kept[key])

    def __iter__(self) -> Iterator[K]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __contains__(self, key: object) -> bool:
        return key in self.kept
