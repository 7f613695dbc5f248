"""Makes the workbench known to kernelnet."""

from kernelnet_readahead import workbench

__all__ = ["workbench"]
