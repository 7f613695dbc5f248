"""
Who offers which blob, and how much of it is taken: bounds, and what goes when they are reached.

====================  =======  ======================================================================================
bound                 default  over it
====================  =======  ======================================================================================
bytes of one          256 MB   refused
bytes of an author    512 MB   what that author offers goes, least recently used first; else refused
bytes of an owner     1 GB     the same
bytes in all          4 GB     what those offer who offer most, if that is more than it would be itself; else refused
offers of one blob    16       refused
blobs of an author    64       as of its bytes
blobs of an owner     256      the same
days without use      30       the blob goes
====================  =======  ======================================================================================

Blobs that are not whole count with the size that was said at their begin.  An AI without an owner is its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heapify, heappop
from typing import NamedTuple, NoReturn

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.blobs.offers import Found, Note, Offer, found
from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.payloads import PART

__all__ = ["BlobBounds", "BlobRefused", "Shelf"]

NOTE_EVERY = 3600.0
"""Seconds after which a use is written down again."""
MAX_BLOBS = 64
"""Blobs of one author."""
MAX_OWNED = 256
"""Blobs of one owner."""
MAX_OFFERS = 16
"""Authors of one blob."""


class BlobRefused(Exception):
    """A blob, or a part of it, is not taken or not there; the text says why, for its author."""


@dataclass(frozen=True)
class BlobBounds:
    """Bytes that the table above names, C{days} without use; C{minFree}: bytes that stay free on the disk."""

    one: int = 256 * 10**6
    author: int = 512 * 10**6
    owner: int = 10**9
    total: int = 4 * 10**9
    days: float = 30.0
    minFree: int = 0


class Upload(Struct):
    """All that was said of a blob that is not whole."""

    size: int
    owner: str
    trace: str
    suffix: str = ""


class _Sending(Struct):
    upload: Upload
    have: int
    used: float


class _Held(NamedTuple):
    """An offer as it counts, of a blob that is whole or is being sent; the least recently used is the smallest."""

    used: float
    digest: str
    author: str
    owner: str
    size: int


class Shelf:
    """
    The blobs of a hub, or of all hubs that have one store.  All functions block; one thread at a time calls them.

    @param wallClock: Unix seconds.
    @param free: bytes that are free on the disk.
    """

    def __init__(
        self, store: BlobStore, bounds: BlobBounds, wallClock: Callable[[], float], free: Callable[[], int]
    ) -> None:
        self._store = store
        self._bounds = bounds
        self._wallClock = wallClock
        self._free = free
        self._isTidy = False
        self._isKnown = False
        self._blobs: dict[str, Note] = {}
        self._uploads: dict[tuple[str, str], _Sending] = {}

    @contextmanager
    def _alone(self) -> Iterator[dict[str, Note]]:
        """A time in which nobody else changes anything, and what is known here is what is there."""
        with self._store.alone() as hasChanged:
            try:
                if hasChanged or not self._isKnown:
                    self._load()
                yield self._blobs
            except BlobRefused:
                raise
            except BaseException:
                self._isKnown = False  # nobody knows how much of it was done
                raise

    def _load(self) -> None:
        if not self._isTidy:
            self._store.tidy()
            self._isTidy = True
        self._blobs.clear()
        self._uploads.clear()
        for digest, line in self._store.notes().items():
            try:
                self._blobs[digest] = msgspec.json.decode(line, type=Note)
            except msgspec.MsgspecError:
                self._store.remove(digest)  # nobody knows whose it is
        for (digest, author), sent in self._store.sent().items():
            if digest in self._blobs and author in self._blobs[digest].offers:
                self._store.discard(digest, author)  # it was made whole, and that cut short
                continue
            try:
                upload = msgspec.json.decode(sent.note, type=Upload)
            except msgspec.MsgspecError:
                upload = Upload(sent.have, author, "")  # it must be begun again
            if sent.have > upload.size:
                self._store.discard(digest, author)  # it would count as less than it is
                continue
            self._uploads[digest, author] = _Sending(upload, _inParts(sent.have, upload.size), sent.at)
        self._isKnown = True

    def begin(  # noqa: PLR0917
        self, digest: str, author: str, owner: str | None, size: int, trace: str, suffix: str = ""
    ) -> int:
        """
        Make room for a blob of C{author}, or add its offer to one that is here.

        @return: bytes that are here already; all of them: nothing else is to be sent.
        @raise BlobRefused: it is not taken.
        """
        owner = owner or author
        if not 0 < size <= self._bounds.one:
            raise BlobRefused(f"a blob may have 1 to {self._bounds.one:,} bytes, not {size:,}")
        with self._alone() as blobs:
            now = self._wallClock()
            note = blobs.get(digest)
            if note is not None:
                if note.size != size:
                    raise BlobRefused(f"the blob of that digest has {note.size:,} bytes, not {size:,}")
                if author not in note.offers:
                    if len(note.offers) >= MAX_OFFERS:
                        raise BlobRefused(f"{MAX_OFFERS} offer it already")
                    self._makeRoom(author, owner, size, new=0)
                    note = blobs.get(digest)  # this very one may have had to go
            if note is not None:
                note.offers[author] = Offer(owner, trace, suffix)
                note.used = now
                self._store.annotate(digest, msgspec.json.encode(note))
                return size
            self._uploads.pop((digest, author), None)
            have = self._store.have(digest, author)
            if have > size:
                self._store.discard(digest, author)  # begun as a smaller one, it would count as less than it is
                have = 0
            try:
                self._findDisk(size - have)
                self._makeRoom(author, owner, size, new=size)
            except BlobRefused:
                self._store.discard(digest, author)
                raise
            upload = Upload(size, owner, trace, suffix)
            self._store.begin(digest, author, msgspec.json.encode(upload))
            # As the store has it: another hub may have taken parts, or the power may have failed.
            have = _inParts(self._store.have(digest, author), size)
            self._uploads[digest, author] = _Sending(upload, have, now)
            return have

    def write(self, digest: str, author: str, number: int, data: bytes) -> int:
        """
        Take a part; one that is here already is not written again.

        @return: bytes that are here, durably.
        @raise BlobRefused: it is not the next one.
        """
        sending = self._begun(digest, author)
        offset, size = number * PART, sending.upload.size
        if offset + len(data) <= sending.have:
            return sending.have
        if offset != sending.have or len(data) != min(PART, size - offset):
            raise BlobRefused(
                f"part {sending.have // PART} comes next, of {min(PART, size - sending.have)} bytes; "
                f"this is part {number}, of {len(data)}"
            )
        if not self._store.write(digest, author, number, data):
            del self._uploads[digest, author]
            raise BlobRefused("it had to make room for others: begin again")
        sending.have += len(data)
        sending.used = self._wallClock()
        return sending.have

    def end(self, digest: str, author: str) -> int:
        """
        Check a blob of which all is here, and keep it.

        @return: its size; it is durable.
        @raise BlobRefused: it is not what its digest says, which removes it, or something is missing.
        """
        with self._alone() as blobs:
            if (note := blobs.get(digest)) is not None and author in note.offers:
                return note.size
            sending = self._begun(digest, author)
            size = sending.upload.size
            if (have := self._store.have(digest, author)) != size:
                raise BlobRefused(f"only {have:,} of {size:,} bytes are here")
        # This may take a second, in which others go on; what is there doesn't change any more.
        isSame = self._store.digestOf(digest, author) == digest
        with self._alone() as blobs:
            if (digest, author) not in self._uploads:
                raise BlobRefused("it had to make room for others: begin again")
            if not isSame:
                self._drop(digest, author)
                raise BlobRefused("its bytes have another digest; they were removed")
            # Another author may have sent the same meanwhile.
            former = blobs.get(digest)
            offers = dict(former.offers) if former is not None else {}
            if len(offers) >= MAX_OFFERS:
                self._drop(digest, author)
                raise BlobRefused(f"{MAX_OFFERS} offer it already")
            said = sending.upload
            offers[author] = Offer(said.owner, said.trace, said.suffix)
            note = Note(size, self._wallClock(), offers)
            if former is None:
                self._store.finish(digest, author, msgspec.json.encode(note))
            else:
                self._store.discard(digest, author)
                self._store.annotate(digest, msgspec.json.encode(note))
            del self._uploads[digest, author]
            blobs[digest] = note
            return size

    def isWhole(self, digest: str) -> bool:
        """Whether it is here, all of it."""
        return digest in self._blobs

    def find(self, trace: str, by: str) -> list[Found]:
        """Blobs in which C{trace} is said to be, see `found`."""
        with self._alone() as blobs:
            return found(blobs, trace, by)

    def read(self, digest: str, number: int) -> tuple[int, bytes]:
        """
        A part of a whole blob.

        @return: the size of all, and the part.
        @raise BlobRefused: there is none.
        """
        note, now = self._blobs.get(digest), self._wallClock()
        if note is None or now - note.used > NOTE_EVERY:
            with self._alone() as blobs:
                if (note := blobs.get(digest)) is None:
                    raise BlobRefused("no such blob is here")
                if now - note.used > NOTE_EVERY:
                    note.used = now
                    self._store.annotate(digest, msgspec.json.encode(note))
        if not 0 <= number * PART < note.size:
            raise BlobRefused(f"it has {-(-note.size // PART)} parts, from 0 on; this is {number}")
        data = self._store.read(digest, number)
        if len(data) != min(PART, note.size - number * PART):
            with self._alone() as blobs:
                # Another hub has removed it; or its bytes were lost, and then it is of no use to anybody.
                if blobs.pop(digest, None) is not None:
                    self._store.remove(digest)
            raise BlobRefused("no such blob is here any more")
        return note.size, data

    def sweep(self) -> int:
        """Remove what nobody has used for long.  @return: how many blobs."""
        with self._alone() as blobs:
            before = self._wallClock() - self._bounds.days * 86400
            old = [digest for digest, note in blobs.items() if note.used < before]
            for digest in old:
                del blobs[digest]
                self._store.remove(digest)
            for digest, author in [key for key, sending in self._uploads.items() if sending.used < before]:
                self._drop(digest, author)
        return len(old)

    def count(self) -> tuple[int, int]:
        """Blobs that are whole, and the bytes of all, also of what is not whole."""
        with self._alone() as blobs:
            parts = sum(sending.have for sending in self._uploads.values())
            return len(blobs), sum(note.size for note in blobs.values()) + parts

    # --- room

    def _begun(self, digest: str, author: str) -> _Sending:
        sending = self._uploads.get((digest, author))
        if sending is None or not sending.upload.trace:
            raise BlobRefused("its begin must come first")
        return sending

    def _drop(self, digest: str, author: str) -> None:
        self._uploads.pop((digest, author), None)
        self._store.discard(digest, author)

    def _held(self) -> Iterator[_Held]:
        for digest, note in self._blobs.items():
            for author, offer in note.offers.items():
                yield _Held(note.used, digest, author, offer.owner, note.size)
        for (digest, author), sending in self._uploads.items():
            yield _Held(sending.used, digest, author, sending.upload.owner, sending.upload.size)

    def _findDisk(self, new: int) -> None:
        """Refuse what the disk has no room for besides all that is begun, and was not sent yet."""
        due = sum(sending.upload.size - sending.have for sending in self._uploads.values())
        if self._free() - due - new < self._bounds.minFree:
            raise BlobRefused("the hub's disk is full")

    def _makeRoom(self, author: str, owner: str, size: int, new: int) -> None:
        """Withdraw what is over the bounds once C{size} more bytes are offered, C{new} of which are not here yet."""
        bounds = self._bounds
        if size > min(bounds.author, bounds.owner, bounds.total):
            self._refuse("the quota of one author, of an owner and of all")
        self._withdrawOver(
            bounds.author - size, MAX_BLOBS - 1, (each for each in self._held() if each.author == author)
        )
        self._withdrawOver(bounds.owner - size, MAX_OWNED - 1, (each for each in self._held() if each.owner == owner))
        over = sum(self._sizes()) + new - bounds.total
        if over <= 0:
            return
        sizes: Counter[str] = Counter()
        oldest: defaultdict[str, list[_Held]] = defaultdict(list)
        for each in self._held():
            sizes[each.owner] += each.size
            oldest[each.owner].append(each)
        for heap in oldest.values():
            heapify(heap)
        while over > 0:
            most = max(sizes, key=sizes.__getitem__)
            if most != owner and sizes[most] <= sizes[owner] + size:
                self._refuse("what the hub keeps in all")
            gone = heappop(oldest[most])
            sizes[most] -= gone.size
            over -= self._withdraw(gone)

    def _withdrawOver(self, size: int, count: int, of: Iterable[_Held]) -> None:
        """Withdraw what was used least recently, until no more than C{count} are left, and C{size} bytes."""
        held = sorted(of)
        total = sum(each.size for each in held)
        for number, each in enumerate(held):
            if total <= size and len(held) - number <= count:
                return
            self._withdraw(each)
            total -= each.size

    def _sizes(self) -> list[int]:
        return [
            *(note.size for note in self._blobs.values()),
            *(sending.upload.size for sending in self._uploads.values()),
        ]

    def _withdraw(self, held: _Held) -> int:
        """@return: bytes that are kept no more: none where others offer the same."""
        digest, author = held.digest, held.author
        if (sending := self._uploads.get((digest, author))) is not None:
            self._drop(digest, author)
            return sending.upload.size
        note = self._blobs[digest]
        del note.offers[author]
        if note.offers:
            self._store.annotate(digest, msgspec.json.encode(note))
            return 0
        del self._blobs[digest]
        self._store.remove(digest)
        return note.size

    def _refuse(self, bound: str) -> NoReturn:
        raise BlobRefused(f"it is over {bound} (--blob-quota)")


def _inParts(have: int, size: int) -> int:
    """Bytes of C{have} that are whole parts: the last one may be cut."""
    return size if have >= size else have // PART * PART
