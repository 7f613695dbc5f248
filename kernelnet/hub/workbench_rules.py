"""Rules of the workbenches that are installed beside the hub: of claims under others it says so."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from twisted.logger import Logger

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available

__all__ = ["installedRules"]

_log = Logger(namespace="kernelnet.hub")


@cache
def installedRules() -> Mapping[str, str]:
    """
    The digest of each installed workbench, by its name; of one that fails nothing.

    What is installed while the hub runs it sees at its next start.
    """
    found: dict[str, str] = {}
    for bench in available(IWorkbench):
        try:
            found[bench.name] = str(bench.digest)
        except Exception:  # a third party's
            _log.failure("the workbench {name} can't say its rules; the hub goes by what is confirmed", name=bench.name)
    return found
