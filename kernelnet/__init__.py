"""
kernelnet: trainers that build parts of an operating system together, and believe no claim unmeasured.

  - `kernelnet.artifacts`: what is learned, made and claimed; `kernelnet.message`: what travels;
    `kernelnet.wire`: lines to messages and back
  - `kernelnet.interfaces`: everything a third party implements
  - `kernelnet.identity`: tokens, the CA, TLS options
  - `kernelnet.hub`, `kernelnet.trainer`: the two ends
  - `kernelnet.workbench`, `kernelnet.generators`: where components are proved, and who writes them
  - `kernelnet.cli`: the C{kernelnet} command
"""

from typing import Any

from kernelnet.message import MessageType, NetworkMessage, OSFeature

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
