"""
Workbenches that are installed beside the hub, and their rules: of claims under others it says so.

What is installed while the hub runs it sees at its next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from twisted.logger import Logger

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available

__all__ = ["installedRules", "installedWorkbenches"]

_log = Logger(namespace="kernelnet.hub")


@cache
def installedWorkbenches() -> Mapping[str, IWorkbench]:
    """Each installed workbench, by its name."""
    return {bench.name: bench for bench in available(IWorkbench)}


@cache
def installedRules() -> Mapping[str, str]:
    """The digest of each installed workbench, by its name; of one that fails nothing."""
    found: dict[str, str] = {}
    for name, bench in installedWorkbenches().items():
        try:
            found[name] = str(bench.digest)
        except Exception:  # a third party's
            _log.failure("the workbench {name} can't say its rules; the hub goes by what is confirmed", name=name)
    return found
