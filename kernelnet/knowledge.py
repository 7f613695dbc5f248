"""The old name of `kernelnet.artifacts`, kept for code that was written for it."""

from kernelnet.artifacts import *  # noqa: F403
