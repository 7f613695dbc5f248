"""Blobs counted, and those found whose bytes are lost: for commands, whether a hub runs or not."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.blobs.offers import Note
from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.integrity import Tell

__all__ = ["Blobs", "counted", "examine", "mend"]


class Blobs(Struct):
    """
    All that is kept.

    @ivar count: of blobs that are whole; C{size}: their bytes; C{unfinished}: number of those that are being sent.
    @ivar lost: of those whose bytes are not those of their digest, or are gone: who offers them, by digest.
    """

    count: int = 0
    size: int = 0
    unfinished: int = 0
    lost: dict[str, list[str]] = {}


def counted(store: BlobStore) -> Blobs:
    """All that is kept, as its notes say; no bytes are read."""
    notes = _notes(store)
    return Blobs(len(notes), sum(note.size for note in notes.values()), len(store.sent()))


def examine(store: BlobStore, tell: Tell) -> Blobs:
    """The same, with all bytes read."""
    found, done = counted(store), 0
    for digest, note in _notes(store).items():
        digester, number = hashlib.sha256(), 0
        while part := store.read(digest, number):
            digester.update(part)
            number += 1
            done += len(part)
            tell("checking blobs", done, found.size)
        if digester.hexdigest() != digest and digest in _notes(store):  # or it was removed meanwhile
            found.lost[digest] = sorted(note.offers)
    return found


def mend(store: BlobStore, lost: dict[str, list[str]]) -> None:
    """Remove those, so that nobody is promised what is not there; no hub keeps files beside this."""
    with store.alone():
        store.tidy()
        for digest in lost:
            store.remove(digest)


def _notes(store: BlobStore) -> dict[str, Note]:
    found = {}
    for digest, line in store.notes().items():
        try:
            found[digest] = msgspec.json.decode(line, type=Note)
        except msgspec.MsgspecError:
            found[digest] = Note(0, 0.0, {})  # nobody knows whose it is: a hub removes it at its start
    return found
