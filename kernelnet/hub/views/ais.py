"""AIs as people are told of them."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.hub.storage.transaction import Reader
from kernelnet.message import Hello

__all__ = ["ais"]


def ais(reader: Reader) -> list[dict[str, Any]]:
    """All that ever said hello: C{id}, what the last hello said, C{seen_at} (Unix seconds), C{owner} or C{None}."""
    found = []
    owners = reader.owners.all()
    for ai in reader.ais.all():
        hello = msgspec.json.decode(ai.hello, type=Hello)
        found.append(
            {
                "id": ai.aiId,
                "specialization": hello.specialization,
                "capabilities": list(hello.capabilities),
                "generators": list(hello.generators),
                "workbenches": list(hello.workbenches),
                "protocol": ai.protocol,
                "seen_at": ai.seenAt,
                "owner": owners.get(ai.aiId),
            }
        )
    return found
