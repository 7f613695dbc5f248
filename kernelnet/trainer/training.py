"""The old address of what a local trainer of somebody else's begins with, kept for code that was written for it."""

from kernelnet.learning.goal import Goal
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.local_trainer_maker import IntegratedKernelTrainerMaker

__all__ = ["Goal", "IntegratedKernelTrainer", "IntegratedKernelTrainerMaker"]
