"""
The engine's configuration, and the child process that translates modules to machine code.

A module of a few kilobytes can keep Cranelift busy for seconds, and neither fuel nor epochs stop a compiler,
so strangers' modules are translated in a child with limits, never in the trainer itself.  The file is run as a
program: ``python -I -S _cranelift.py FOLDER_OF_WASMTIME FOLDER_OF_THIS_FILE [unmetered]``; it imports
nothing of kernelnet's but its neighbour C{_jail}, so that it starts in a tenth of a second.

On its standard input and output, each length a 4-byte little-endian number::

    -> length, module            <- status byte, length, serialized machine code or error message
"""

from __future__ import annotations

import signal
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import wasmtime

OK, INVALID = b"+", b"-"

CPU_SECONDS = 1.0
"""For one module; what a C compiler makes of a policy takes 2-20 ms."""

_LIMITS = {"AS": 2 << 30, "FSIZE": 0}

MAX_WASM_STACK = 512 << 10
"""Bytes; far below the stack of any thread that Python starts."""


def makeEngine(metered: bool = True) -> wasmtime.Engine:
    """
    The engine that everything runs on: metered, interruptible, deterministic, and only plain WebAssembly.

    NaNs get one bit pattern and relaxed SIMD is off, else results would differ between processors.  What a C
    compiler needs for its default target is on, everything else is off.  Images of initial memory are off as well: a
    hundred bytes of module would become 16 MiB of image, which each process that loads it holds.

    @param metered: count fuel; without, all the rest is the same, and time is what the code takes that would be used.
    """
    import wasmtime

    config = wasmtime.Config()
    config.consume_fuel = metered
    config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.parallel_compilation = False
    config.memory_init_cow = False
    config.max_wasm_stack = MAX_WASM_STACK
    config.shared_memory = False
    for feature in (
        "threads",
        "memory64",
        "multi_memory",
        "relaxed_simd",
        "simd",
        "tail_call",
        "exceptions",
        "gc",
        "function_references",
        "component_model",
        "custom_page_sizes",
        "wide_arithmetic",
        "stack_switching",
    ):
        setattr(config, f"wasm_{feature}", False)
    return wasmtime.Engine(config)


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        sys.exit(0)
    return data


def main() -> None:
    """Translate one module after another until the parent closes the pipe."""
    # With -I neither our own folder nor any site-packages is on the path.
    sys.path += sys.argv[1:3]
    import _jail  # type: ignore[import-not-found]
    import wasmtime

    engine = makeEngine(metered="unmetered" not in sys.argv[3:])
    # Nothing is opened from here on.
    _jail.confine(_LIMITS, [], [], demanded=False)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(OK)
    sink.flush()
    while True:
        wasm = _read(source, struct.unpack("<I", _read(source, 4))[0])
        # The default action of SIGPROF ends the process, whatever it is doing.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            status, answer = OK, bytes(wasmtime.Module(engine, wasm).serialize())
        except wasmtime.WasmtimeError as error:
            status, answer = INVALID, str(error).encode("utf-8", errors="replace")
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(status + struct.pack("<I", len(answer)) + answer)
        sink.flush()


if __name__ == "__main__":
    main()
