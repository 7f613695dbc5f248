"""
Hostile components against every ABI of every bench: each gets its class of error in time, and nothing of the host.

Time is CPU time, of this process and of its children, so that it does not matter how busy the machine is.
"""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import Any, ClassVar
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.workbench import compiler, errors, machine, translator
from tests.workbench.attacks import ATTACKS, Carrier
from tests.workbench.benches import BENCHES
from tests.workbench.wasm import component, sleb

SECONDS = 2.0
"""Of CPU time, which an attack may take."""

LITTLE = 5_000_000
"""Fuel that is enough to show that something never ends; one bench is tried with all there is."""

CANARY = "canary-3f9c1e"


def cpuSeconds() -> float:
    """Of this process, its children that have ended, and those that translate modules."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + children.ru_utime + children.ru_stime
    with translator._lock:
        for child in translator._idle:
            fields = Path(f"/proc/{child._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Case(SynchronousTestCase):
    scenarios: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "CANARY": CANARY})
        # On a busy machine the wall clock would end what is to run out of fuel.
        self.patch(machine, "wallSeconds", lambda fuel: 600.0)
        self.secret = Path(self.mktemp())
        # As it stands it would make the elements of an array.
        self.secret.write_text(f"42, 43, 44 /* {CANARY} */\n")

    def scenario(self, name: str) -> Any:
        """One for all tests: what an attack leaves behind should show."""
        if name not in self.scenarios:
            folder = Path(self.mktemp())
            folder.mkdir(parents=True)
            self.scenarios[name] = BENCHES[name](folder)
            self.scenarios[name].baselines()
        return self.scenarios[name]

    def carriers(self) -> list[tuple[Any, Carrier]]:
        """A scenario and a carrier for each ABI of each bench."""
        return [(self.scenario(name), Carrier(abi)) for name in BENCHES for abi in self.scenario(name).workbench.abis]

    def fails(
        self, scenario: IScenario, kind: type[errors.ComponentError], wasm: bytes, about: str, fuel: int | None = None
    ) -> str:
        """The module fails in this way in time, and the bench goes on as if nothing had been."""
        began = cpuSeconds()
        error = self.assertRaises(errors.ComponentError, scenario.measure, wasm, fuel=fuel)
        self.assertLess(cpuSeconds() - began, SECONDS, about)
        self.assertIs(type(error), kind, f"{about}: {error!r}")
        self.assertTrue(str(error).isprintable(), about)
        self.assertLess(len(str(error)), 500, about)
        self.assertNotIn(CANARY, str(error), about)
        workbench = scenario.workbench
        after = scenario.measure(workbench.baselineModule(workbench.reference))
        self.assertEqual(after, scenario.reference(), about)
        return str(error)


class ModuleTests(Case):
    """One test for each attack is made below."""

    def attack(self, name: str) -> None:
        attack = ATTACKS[name]
        carriers = self.carriers()
        for scenario, carrier in carriers[:1] if attack.once else carriers:
            about = f"{name}, {carrier.abi.identifier}"
            fuel = None if carrier is carriers[0][1] else LITTLE
            self.assertIn(attack.words, self.fails(scenario, attack.error, attack.make(carrier), about, fuel), about)

    def test_enough(self) -> None:
        """There are attacks of every kind, fifty and more, on two ABIs of each bench."""
        self.assertGreaterEqual(len(ATTACKS), 50)
        self.assertEqual(len(self.carriers()), 2 * len(BENCHES))
        kinds = {attack.error for attack in ATTACKS.values()}
        elsewhere = {errors.ContractBroken, errors.TimedOut, errors.NoResources}
        self.assertEqual(kinds | elsewhere, set(errors.ComponentError.__subclasses__()))

    def test_carriers(self) -> None:
        """What carries the attacks is itself no attack: it is measured, or broken by its answers alone."""
        for scenario, carrier in self.carriers():
            try:
                scenario.measure(carrier.make())
            except errors.ContractBroken:
                self.assertEqual(carrier.abi.identifier, "process_manager/full/2")


def _named(name: str) -> Any:
    def test(self: ModuleTests) -> None:
        self.attack(name)

    test.__doc__ = f"{name}: {ATTACKS[name].error.__name__}."
    return test


for _name in ATTACKS:
    _words = re.findall(r"[A-Za-z0-9]+", _name.replace("'", ""))
    setattr(ModuleTests, "test_" + _words[0] + "".join(word.capitalize() for word in _words[1:]), _named(_name))


class AnswerTests(Case):
    """What a component returns is never believed."""

    NUMBERS: ClassVar[list[int]] = [32, 33, 255, 65536, -1, -(1 << 31), (1 << 31) - 1]

    def answering(self, carrier: Carrier, code: bytes, kind: str) -> bytes:
        code_ = {name: code for name, (_, results) in carrier.abi.required.items() if results == (kind,)}
        return component(carrier.abi.required, code_)

    def test_slots(self) -> None:
        """A slot or a task that doesn't exist breaks the contract, whatever number it is."""
        for scenario, carrier in self.carriers():
            if carrier.abi.identifier in {"file_system/full/2", "process_manager/full/2"}:
                for number in self.NUMBERS:
                    wasm = self.answering(carrier, b"\x41" + sleb(number), "i32")
                    self.fails(scenario, errors.ContractBroken, wasm, f"{carrier.abi.identifier} answers {number}")


def _array(line: str) -> str:
    """A module that would have what the line gives."""
    return f'KN_EXPORT("g") const char *g(void) {{ static const char x[] = {{\n{line}\n}}; return x; }}'


def _assembler(directive: str) -> str:
    lines = f'.section .data.x,\\"\\",@\\nx:\\n{directive}\\n.size x, 1\\n'
    return f'__asm__("{lines}"); extern char x[];'


READING = {
    "#include": _array('#include "SECRET"'),
    "#include, a system header": "#include </etc/passwd>",
    "#include, a device": '#include "/dev/zero"',
    "#include, a terminal": '#include "/dev/tty"',
    "#include, the environment": '#include "/proc/self/environ"',
    "#include, the command": '#include "/proc/self/cmdline"',
    "#include, the memory": '#include "/proc/self/maps"',
    "#include, open files": '#include "/proc/self/fd/1"',
    "#include, this program": f'#include "{__file__}"',
    "#include, an open file": '#include "/dev/fd/2"',
    "#include, through the root": '#include "/proc/self/rootSECRET"',
    "#include, through the working folder": '#include "/proc/self/cwd/../../etc/passwd"',
    "#include, upwards": _array('#include "../../../../../../../../../../../..SECRET"'),
    "#include, by a macro": '#define FILE "SECRET"\n#include FILE',
    "#include, a response file": '#include "@/etc/passwd"',
    "#include_next": '#include_next "SECRET"',
    "#import": '#import "SECRET"',
    "__has_include, then #include": '#if __has_include("SECRET")\n#include "SECRET"\n#else\n#error no\n#endif',
    "#embed": _array('#embed "SECRET"'),
    "#embed, some": _array('#embed "SECRET" limit(4)'),
    "#embed, a system file": _array("#embed </etc/passwd>"),
    ".incbin": _assembler('.incbin \\"SECRET\\"'),
    ".incbin, a system file": _assembler('.incbin \\"/etc/hostname\\"'),
    ".incbin, the environment": _assembler('.incbin \\"/proc/self/environ\\"'),
    ".include": _assembler('.include \\"SECRET\\"'),
    "#pragma dependency": '#pragma GCC dependency "SECRET" x\n#include "SECRET"',
    "#pragma module": '#pragma clang module load "SECRET"\n#include "SECRET"',
    "_Pragma": '_Pragma("include_alias(\\"a.h\\", \\"SECRET\\")")\n#include "a.h"',
    "#line": '#line 1 "SECRET"\n#error look',
}
"""C that would read a file: none of it compiles."""

SILENT = {
    "a library": '#pragma comment(lib, "SECRET")',
    "the linker's options": '#pragma comment(linker, "@SECRET")',
    "the linker's section": '__asm__(".section .linker_options,\\"\\",@\\n.asciz \\"SECRET\\"\\n");',
}
"""C that asks the linker to: it may compile, into a module without anything of the file."""

BOMBS = {
    "macros": "".join(f"#define A{i} " + f"A{i - 1} " * 10 + "\n" for i in range(1, 10)).replace("A0", "1+")
    + "int x = A9 1;",
    "including itself": "#include __FILE__\n#include __FILE__\n",
    "a huge array": "unsigned char x[1u << 30] = {[(1u << 30) - 1] = 1};",
    "an array filled by a range": "unsigned char x[100 << 20] = {[0 ... (100 << 20) - 1] = 1};",
    "parentheses": "(" * 100_000,
    "messages": "#error " + "x" * 100_000 + "\n" + "#error y\n" * 10_000,
    "the assembler repeats": '__asm__(".rept 1000000000\\n.byte 1\\n.endr\\n");',
    "the assembler's space": '__asm__(".section .data.x,\\"\\",@\\nx:\\n.space 4000000000\\n");',
    "a size beyond any sense": " " * (2 << 20),
}
"""C that would keep the compiler busy, or fill the disk."""


class SourceTests(Case):
    """C is compiled to audit a component, in a jail."""

    def refused(
        self, workbench: IWorkbench, source: str, about: str, seconds: float = SECONDS, silent: bool = False
    ) -> None:
        began = cpuSeconds()
        try:
            wasm, message = compiler.compileC(source, workbench.headerPath), ""
        except errors.CompileError as error:
            wasm, message = b"", str(error)
        self.assertLess(cpuSeconds() - began, seconds, about)
        self.assertTrue(message or silent, f"{about} compiled")
        self.assertNotIn(CANARY, message, about)
        self.assertNotIn(CANARY.encode(), wasm, about)
        self.assertNotIn(b"\x2a\x2b\x2c", wasm, about)
        self.assertNotIn("root:", message, about)
        self.assertLess(len(message), 3000, about)

    @skipUnless(compiler.canJail(), "this kernel has no Landlock")
    def test_reading(self) -> None:
        """Whatever means of preprocessor, assembler and linker there are, no byte of a file comes in."""
        code = '\nKN_EXPORT("f") int f(int x) { return 7 * x; }\n'
        for number, name in enumerate(BENCHES):
            workbench = self.scenario(name).workbench
            include = f'#include "{workbench.headerPath.name}"\n'
            for about, source in {**READING, **SILENT}.items():
                # What the header is makes no difference: each bench has its share of the attacks, the first has all.
                if number and _number(about) % len(BENCHES) != number:
                    continue
                whole = include + source.replace("SECRET", str(self.secret.absolute())) + code
                self.refused(workbench, whole, f"{about}, {name}", silent=about in SILENT)

    @skipUnless(compiler.canJail(), "this kernel has no Landlock")
    def test_controls(self) -> None:
        """What surrounds these attacks compiles by itself: they are not refused for something else."""
        for source in (_array("42"), _assembler(".int8 42")):
            wasm = compiler.compileC(
                f'#include "kn_file_system.h"\n{source}\n', self.scenario("file_system").workbench.headerPath
            )
            self.assertTrue(wasm.startswith(b"\0asm"))

    @skipUnless(compiler.canJail(), "this kernel has no Landlock")
    def test_bombs(self) -> None:
        """What would keep the compiler busy ends when its CPU time is used up, and its memory and files are limited."""
        code = '\n#include "kn_file_system.h"\nKN_EXPORT("f") int f(int x) { return 7 * x; }\n'
        for about, source in BOMBS.items():
            seconds = compiler.CPU_SECONDS + 0.5
            self.refused(self.scenario("file_system").workbench, source + code, about, seconds)


def _number(text: str) -> int:
    """The same in every process."""
    return sum(text.encode())
