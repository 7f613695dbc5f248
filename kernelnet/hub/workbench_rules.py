"""Rules of the workbenches that are installed beside the hub: of claims under others it says so."""

from __future__ import annotations

from twisted.logger import Logger

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available

__all__ = ["installedRules"]

_log = Logger(namespace="kernelnet.hub")


def installedRules() -> dict[str, str]:
    """The digest of each installed workbench, by its name; of one that fails nothing."""
    found: dict[str, str] = {}
    for bench in available(IWorkbench):
        try:
            found[bench.name] = str(bench.digest)
        except Exception:  # a third party's
            _log.failure("the workbench {name} can't say its rules; the hub goes by what is confirmed", name=bench.name)
    return found
