"""Sources of components that are blobs, read where the hub keeps them, whether it runs or not."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from kernelnet.artifacts import MAX_SOURCE
from kernelnet.cli.common import directory
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.hub.views.components import Entry
from kernelnet.payloads import PART

__all__ = ["withSource"]


def withSource(entry: Entry, state: Path | None) -> Entry:
    """The same with the source of its component, if that is a blob that the hub still has."""
    component = entry.component
    if not component.source_size or component.manifest is None:
        return entry
    digest = component.manifest.source_sha256
    with suppress(DatabaseError, OSError, UnicodeDecodeError), databaseOf(directory(state).path).blobs() as store:
        source = b"".join(store.read(digest, number) for number in range(-(-MAX_SOURCE // PART)))
        if len(source) == component.source_size and hashlib.sha256(source).hexdigest() == digest:
            return msgspec.structs.replace(
                entry, component=msgspec.structs.replace(component, implementation=source.decode("utf-8"))
            )
    return entry
