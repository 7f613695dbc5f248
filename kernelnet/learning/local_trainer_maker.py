"""The plugin that makes the integrated local trainer, by the options of a trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IComponentGenerator, ILocalTrainerMaker
from kernelnet.learning.local_trainer import IntegratedKernelTrainer

__all__ = ["IntegratedKernelTrainerMaker"]


@implementer(IPlugin, ILocalTrainerMaker)
class IntegratedKernelTrainerMaker:
    """The plugin that makes `IntegratedKernelTrainer`s."""

    name = "integrated"
    description = "kernelnet's own: patterns, guarded search and re-measurement on the workbenches"

    def make(
        self,
        specialization: str,
        traces: Sequence[Path],
        generator: IComponentGenerator,
        seed: int | None,
        author: str,
        *,
        workbenches: Sequence[str] = (),
        jobs: int | None = None,
        private: Sequence[Path] = (),
    ) -> IntegratedKernelTrainer:
        return IntegratedKernelTrainer(
            specialization, traces, generator, seed, author, workbenches=workbenches, jobs=jobs, private=private
        )
