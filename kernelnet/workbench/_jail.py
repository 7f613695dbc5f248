"""
A program that shuts itself in and then becomes another: ``python -I -S _jail.py LIMITS -- PROGRAM ARGUMENTS…``.

It imports nothing of kernelnet's, so that it starts in some 15 ms.  `confine` is used by our own
children as well (see C{_cranelift}).  Layers, each of which holds without the others:

  1. resource limits: CPU time, address space, size of a written file, no core dump;
  2. new user, network, IPC, mount and UTS namespaces where the kernel lets us: no network;
  3. Landlock (U{https://docs.kernel.org/userspace-api/landlock.html}): no file but those named, no TCP, no
     signals or abstract sockets to the outside, as far as the kernel's Landlock knows them;
  4. no new privileges, an empty environment, and a session of its own, which the parent kills as a whole.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys

EXIT_NO_JAIL = 97
"""Exit code: Landlock was demanded and isn't there."""

_NR_CREATE_RULESET, _NR_ADD_RULE, _NR_RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NAMESPACES = 0x10000000 | 0x40000000 | 0x08000000 | 0x00020000 | 0x04000000  # user, net, ipc, mount, uts

# File system rights, by the ABI that introduced them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_ALL_ABI_1 = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
# What a rule for a single file, rather than a directory, may name.
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


class _RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlockVersion() -> int:
    """The version of the kernel's Landlock ABI; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    version: int = libc.syscall(_NR_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    return max(0, version)


def _landlock(version: int, readable: list[str], writable: list[str]) -> None:
    """Deny every file access but reading and executing beneath C{readable}, and anything beneath C{writable}."""
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result: int, what: str) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")
        return result

    handled = _ALL_ABI_1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if version >= since:
            handled |= right
    # From ABI 4: no TCP bind or connect.  From 6: no signals and no abstract sockets to the outside.
    attr = _RulesetAttr(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = checked(
        libc.syscall(_NR_CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(size), 0), "landlock_create_ruleset"
    )
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    for paths, rights in ((readable, reading), (writable, handled)):
        for path in paths:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = rights & handled if os.path.isdir(path) else rights & handled & _FILE_RIGHTS
            rule = _PathBeneathAttr(allowed, fd)
            checked(libc.syscall(_NR_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0), "landlock_add_rule")
            os.close(fd)
    checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    checked(libc.syscall(_NR_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def confine(limits: dict[str, int], readable: list[str], writable: list[str], demanded: bool) -> bool:
    """
    Shut this process and all its children in; there is no way back.

    @param limits: by name of a resource limit without its C{RLIMIT_}: C{CPU} (s), C{AS}, C{FSIZE} (bytes), …;
        a lower one that holds already stays.
    @param demanded: raise C{OSError} when Landlock is not there; otherwise do without it.
    @return: whether Landlock holds.
    """
    version = landlockVersion()
    if demanded and not version:
        raise OSError("this kernel has no Landlock")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    if sys.platform.startswith("linux"):
        # Refused in many containers; Landlock's TCP rule is then the only one against the network.
        ctypes.CDLL(None).unshare(_CLONE_NAMESPACES)
    if version:
        _landlock(version, readable, writable)
    return bool(version)


def main(argv: list[str]) -> None:
    """``LIMITS`` is a JSON object: C{limits}, C{readable}, C{writable}, C{demanded}, C{cwd}, C{environment}."""
    request = json.loads(argv[1])
    program = argv[3:]
    os.chdir(request["cwd"])
    try:
        confine(request["limits"], request["readable"], request["writable"], request["demanded"])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_NO_JAIL)
    os.execve(program[0], program, request["environment"])  # noqa: S606 - a program is what it is for


if __name__ == "__main__":
    main(sys.argv)
