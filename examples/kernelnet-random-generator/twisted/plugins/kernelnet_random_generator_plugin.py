"""Makes the generator known to kernelnet."""

from kernelnet_random_generator import generator

__all__ = ["generator"]
