"""
The engine in memory: a hub without a file, for tests, and the plainest reading of what every engine promises.

  - `engine`: `MemoryEngine`, on a `MemoryDatabase`
  - `tables`: all rows, copied when they are changed
  - `transaction`: what reads, and what writes in one commit
  - `log`, `access`, `sessions`, `knowledge`, `observations`: the statements of `kernelnet.hub.storage.statements`,
    module by module

Each statement looks at all rows of its table: there is no index.
"""

from __future__ import annotations

from kernelnet.hub.storage.memory.engine import MemoryDatabase, MemoryEngine

__all__ = ["MemoryDatabase", "MemoryEngine"]
