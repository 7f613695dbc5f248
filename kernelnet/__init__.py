"""
kernelnet: trainers that build parts of an operating system together, and believe no claim unmeasured.

  - `kernelnet.artifacts`: values that are learned, made and claimed (C{knowledge}: their address of old);
    `kernelnet.families`: which are of one structure; `kernelnet.observations`: components at work;
    `kernelnet.provenance`: language models that wrote them, and what that cost; `kernelnet.untrusted`:
    strangers' text and numbers, bounded
  - `kernelnet.message`: what travels; `kernelnet.wire`: lines to messages and back;
    `kernelnet.line_protocol`: lines of a stream
  - `kernelnet.interfaces`: everything a third party implements; `kernelnet.plugins` finds it, `kernelnet.testing` helps
    to test it
  - `kernelnet.identity`: tokens, the CA, TLS options; `kernelnet.attestation`: verdicts as signed statements
  - `kernelnet.hub`, `kernelnet.trainer`: the two ends; `kernelnet.mcp`: AI agents as trainers
  - `kernelnet.learning`: the learning half of a trainer, without a network
  - `kernelnet.workbench`, `kernelnet.generators`, `kernelnet.expressions`: where components are proved, who writes
    them, and the formulas that some of them are made of
  - `kernelnet.exporters`: what is learned, out of the simulator into real systems; `kernelnet.deploy`: put to use here
  - `kernelnet.cli`: the C{kernelnet} command, C{kernelnet.__main__}: as a process; `kernelnet.interrupt`: Ctrl-C while
    it imports; `kernelnet.daemon`, `kernelnet.log_format`: the services as processes;
    `kernelnet.duration`, `kernelnet.size`: spans of time, and sizes, as users write them;
    `kernelnet.payloads`: what is too large for a line; `kernelnet.asyncio_bridge`: Deferreds under plain asyncio

C{docs/explanation/architecture.rst} has the whole tree, the rules who may import whom, and four walks through it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelnet.artifacts import OSFeature
    from kernelnet.message import MessageType, NetworkMessage

__all__ = ["IntegratedKernelTrainer", "MessageType", "NetworkMessage", "NetworkedKernelTrainer", "OSFeature"]


def __getattr__(name: str) -> Any:
    # A command whose parts import for a while is told by this package's name how to take Ctrl-C meanwhile.
    if name == "OSFeature":
        from kernelnet.artifacts import OSFeature

        return OSFeature
    if name in ("MessageType", "NetworkMessage"):
        from kernelnet import message

        return getattr(message, name)
    # The trainers need Twisted's threads and the [trainer] extra: they are loaded when they are asked for.
    if name == "NetworkedKernelTrainer":
        from kernelnet.trainer.api import NetworkedKernelTrainer

        return NetworkedKernelTrainer
    if name == "IntegratedKernelTrainer":
        from kernelnet.learning.local_trainer import IntegratedKernelTrainer

        return IntegratedKernelTrainer
    raise AttributeError(f"module 'kernelnet' has no attribute {name!r}")
