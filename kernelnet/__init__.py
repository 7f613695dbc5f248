"""
kernelnet: trainers that build parts of an operating system together, and believe no claim unmeasured.

  - `kernelnet.artifacts`: values that are learned, made and claimed (C{knowledge}: their address of old);
    `kernelnet.untrusted`: strangers' text and numbers, bounded
  - `kernelnet.message`: what travels; `kernelnet.wire`: lines to messages and back
  - `kernelnet.interfaces`: everything a third party implements; `kernelnet.plugins` finds it, `kernelnet.testing` helps
    to test it
  - `kernelnet.identity`: tokens, the CA, TLS options
  - `kernelnet.hub`, `kernelnet.trainer`: the two ends
  - `kernelnet.learning`: the learning half of a trainer, without a network
  - `kernelnet.workbench`, `kernelnet.generators`, `kernelnet.expressions`: where components are proved, who writes
    them, and the formulas that some of them are made of
  - `kernelnet.cli`: the C{kernelnet} command; `kernelnet.daemon`, `kernelnet.log_format`: the services as processes;
    `kernelnet.duration`: spans of time as users write them; `kernelnet.asyncio_bridge`: Deferreds under plain asyncio

C{docs/explanation/architecture.rst} has the whole tree, the rules who may import whom, and four walks through it.
"""

from typing import Any

from kernelnet.artifacts import OSFeature
from kernelnet.message import MessageType, NetworkMessage

__all__ = ["IntegratedKernelTrainer", "MessageType", "NetworkMessage", "NetworkedKernelTrainer", "OSFeature"]


def __getattr__(name: str) -> Any:
    # The trainers need Twisted's threads and the [trainer] extra: they are loaded when they are asked for.
    if name == "NetworkedKernelTrainer":
        from kernelnet.trainer.api import NetworkedKernelTrainer

        return NetworkedKernelTrainer
    if name == "IntegratedKernelTrainer":
        from kernelnet.learning.local_trainer import IntegratedKernelTrainer

        return IntegratedKernelTrainer
    raise AttributeError(f"module 'kernelnet' has no attribute {name!r}")
