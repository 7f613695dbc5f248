"""The code of one function, from WebAssembly to C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kernelnet.exporters.errors import Untranslatable
from kernelnet.exporters.instructions import LOADS, PREFIXED, SIMPLE, STORES
from kernelnet.exporters.signatures import canonical, constant, cType, functionHead, isWide
from kernelnet.exporters.wasm import TYPES, Module, Reader, readOperands
from kernelnet.workbench.abi import Signature

__all__ = ["MAX_VARIABLES", "FunctionWriter"]

MAX_VARIABLES = 4000
"""Of one function, with the depth of its stack: so that no frame of the C stack is larger than 64 KiB."""

_LETTERS = {"i32": "i", "i64": "j", "f32": "f", "f64": "d"}
_BLOCK, _LOOP, _IF, _ELSE, _END = 0x02, 0x03, 0x04, 0x05, 0x0B

_SIZES = {"8": 1, "16": 2, "32": 4, "64": 8}
_Operands = tuple[int, ...]


@dataclass
class _Block:
    """
    @ivar height: of the stack below its parameters.
    @ivar taken: types that a branch to it carries.
    @ivar isUsed: whether a branch to its end exists.
    @ivar otherwise: it is an C{if} whose C{else} hasn't come.
    """

    code: int
    label: int
    height: int
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    isUsed: bool = False
    otherwise: bool = False

    @property
    def taken(self) -> tuple[str, ...]:
        return self.parameters if self.code == _LOOP else self.results


@dataclass
class _Region:
    """Instructions that one charge of fuel is for: @ivar line: where it is written."""

    line: int
    count: int = 0


@dataclass
class FunctionWriter:
    """
    Writes one function.

    @ivar most: see `kernelnet.exporters.signatures.isWide`.
    @ivar indirect: (type, table) of each kind of call through a table in it.
    @ivar called: functions that it calls by their numbers.
    @ivar reached: addresses of memory that it touches, each behind the last byte, as far as the code says them.
    @ivar isAnywhere: whether it touches addresses that the code doesn't say.
    """

    module: Module
    number: int
    most: int
    indirect: set[tuple[int, int]] = field(default_factory=set)
    called: set[int] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    isAnywhere: bool = False

    def __post_init__(self) -> None:
        function = self.module.functions[self.number]
        self._reader = Reader(self.module.data, function.start, function.end)
        self._shape = function.shape
        self._variables = function.shape[0] + function.locals
        self._stack: list[str] = []
        self._known: dict[int, int] = {}  # values of the stack that are constants, by depth
        self._used: set[tuple[int, str]] = set()
        self._lines: list[str] = [""]
        self._regions = [_Region(0)]
        self._blocks = [_Block(_BLOCK, 0, 0, (), function.shape[1])]
        self._labels = 1
        self._dead = False
        self._skipped = 0

    def write(self) -> str:
        """The function's C.  @raise Untranslatable: see `kernelnet.exporters.translation.translate`."""
        while self._blocks:
            code = self._reader.byte()
            operands = readOperands(self._reader, code)
            if self._dead and self._skip(code):
                continue
            self._regions[-1].count += 1
            self._step(code, operands)
        isWide_ = isWide(self._shape, self.most)
        count = len(self._variables) + len(self._used)
        if count > MAX_VARIABLES:
            raise Untranslatable(
                f"function {self.number} of the module has {count} variables; at most {MAX_VARIABLES} are translated"
            )
        # Twice what they take: a C compiler may keep copies, and what it saves of its own.
        frame = 160 + 16 * count
        self._lines[0] = f"kn_enter(m, {self._regions[0].count}, {frame});"
        parameters = len(self._shape[0])
        declared = [
            f"    {cType(kind)} l{at} = 0;" for at, kind in enumerate(self._variables) if at >= parameters or isWide_
        ]
        declared += [f"    {cType(kind)} {_LETTERS[kind]}{at} = 0;" for at, kind in sorted(self._used)]
        if isWide_:
            taken = (f"l{at} = ({cType(kind)})m->wide[{at}];" for at, kind in enumerate(self._shape[0]))
            self._lines[0] += "".join(f"\n    {line}" for line in taken)
        self._lines.append(f"kn_leave(m, {frame});")
        if self._shape[1]:
            self._lines.append(f"return {_LETTERS[self._shape[1][0]]}0;")
        self._lines.append("KN_LEFT")
        body = "\n".join([*declared, *(f"    {line}" for line in self._lines)])
        return f"{functionHead(self.number, self._shape, self.most)} {{\n{body}\n}}\n"

    # -- the stack

    def _skip(self, code: int) -> bool:
        """Whether an instruction that is never reached is passed over; the ends of what is reached aren't."""
        if code in (_BLOCK, _LOOP, _IF):
            self._skipped += 1
        elif code == _END and self._skipped:
            self._skipped -= 1
            return True
        return bool(self._skipped) or code not in (_ELSE, _END)

    def _slot(self, at: int, kind: str) -> str:
        self._used.add((at, kind))
        return f"{_LETTERS[kind]}{at}"

    def _push(self, kind: str, expression: str) -> None:
        self._known.pop(len(self._stack), None)
        self._stack.append(kind)
        self._say(f"{self._slot(len(self._stack) - 1, kind)} = {expression};")

    def _constant(self, kind: str, value: int) -> None:
        self._push(kind, constant(kind, value))
        self._known[len(self._stack) - 1] = value

    def _touch(self, offset: int, size: int) -> None:
        """Note the address on top of the stack, which is popped next, as one that is touched."""
        address = self._known.get(len(self._stack) - 1)
        if address is None:
            self.isAnywhere = True
        else:
            self.reached.add((address & 0xFFFFFFFF) + offset + size)

    def _pop(self) -> str:
        kind = self._stack.pop()
        return self._slot(len(self._stack), kind)

    def _say(self, line: str) -> None:
        self._lines.append(line)

    # -- instructions

    def _step(self, code: int, operands: _Operands) -> None:
        if code in SIMPLE:
            self._simple(code, SIMPLE[code].takes, SIMPLE[code].gives, SIMPLE[code].expression)
        elif code in LOADS:
            load = LOADS[code]
            self._touch(operands[1], _SIZES[load.stored[1:]])
            self._push(load.gives, f"{load.cast}kn_load_{load.stored}(m, {self._pop()}, {operands[1]}u)")
        elif code in STORES:
            stored, value = STORES[code].stored, self._pop()
            self._touch(operands[1], _SIZES[stored[1:]])
            address = self._pop()
            self._say(f"kn_store_{stored}(m, {address}, {operands[1]}u, ({stored}){value});")
        else:
            _STEPS[code](self, operands)

    def _simple(self, code: int, takes: tuple[str, ...], gives: str, expression: str) -> None:
        popped = [self._pop() for _ in takes]
        self._push(gives, expression.format(a=popped[-1], b=popped[0]))

    def _prefixed(self, operands: _Operands) -> None:
        if operands[0] in PREFIXED:
            each = PREFIXED[operands[0]]
            self._simple(0xFC, each.takes, each.gives, each.expression)
            return
        self.isAnywhere = True
        size, value, to = self._pop(), self._pop(), self._pop()
        self._say(f"kn_{'copy' if operands[0] == 10 else 'fill'}(m, {to}, {value}, {size});")

    def _drop(self, operands: _Operands) -> None:
        self._pop()

    def _select(self, operands: _Operands) -> None:
        condition, second = self._pop(), self._pop()
        kind = self._stack[-1]
        first = self._pop()
        self._push(kind, f"{condition} ? {first} : {second}")

    def _getLocal(self, operands: _Operands) -> None:
        self._push(self._variables[operands[0]], f"l{operands[0]}")

    def _setLocal(self, operands: _Operands) -> None:
        self._say(f"l{operands[0]} = {self._pop()};")

    def _teeLocal(self, operands: _Operands) -> None:
        self._say(f"l{operands[0]} = {self._slot(len(self._stack) - 1, self._stack[-1])};")

    def _getGlobal(self, operands: _Operands) -> None:
        self._push(self.module.globals[operands[0]].type, f"m->g{operands[0]}")

    def _setGlobal(self, operands: _Operands) -> None:
        self._say(f"m->g{operands[0]} = {self._pop()};")

    def _memorySize(self, operands: _Operands) -> None:
        self._push("i32", "kn_pages(m)")

    def _memoryGrow(self, operands: _Operands) -> None:
        memory = self.module.memory
        most = memory.most if memory is not None and memory.most is not None else 65536
        self._push("i32", f"kn_grow(m, {self._pop()}, {most}u)")

    def _call(self, operands: _Operands) -> None:
        self.called.add(operands[0])
        self._callAs(self.module.functions[operands[0]].shape, f"fn{operands[0]}(m")

    def _callIndirect(self, operands: _Operands) -> None:
        kind = canonical(self.module, operands[0])
        self.indirect.add((kind, operands[1]))
        self._callAs(self.module.types[kind], f"through{kind}_{operands[1]}(m, {self._pop()}")

    def _callAs(self, shape: Signature, begin: str) -> None:
        if len(shape[1]) > 1:
            raise Untranslatable("the module has a function with several results, which is not translated")
        arguments = [self._pop() for _ in shape[0]][::-1]
        if isWide(shape, self.most):
            self._say("".join(f"m->wide[{at}] = {value}; " for at, value in enumerate(arguments)).rstrip())
            arguments = []
        call = ", ".join([begin, *arguments]) + ")"
        if shape[1]:
            self._push(shape[1][0], call)
        else:
            self._say(f"{call};")

    # -- blocks and branches

    def _shapeOf(self, kind: int) -> Signature:
        """Types that a block takes and leaves, by the number in its head."""
        if kind >= 0:
            return self.module.types[kind]
        return ((), ()) if kind == -64 else ((), (TYPES[kind & 0x7F],))

    def _begin(self, code: int, head: int) -> None:
        condition = self._pop() if code == _IF else ""
        parameters, results = self._shapeOf(head)
        label, self._labels = self._labels, self._labels + 1
        height = len(self._stack) - len(parameters)
        self._blocks.append(_Block(code, label, height, parameters, results, otherwise=code == _IF))
        self._forget(self._blocks[-1])
        if code == _IF:
            self._say(f"if (!{condition}) goto E{label};")
        elif code == _LOOP:
            self._say(f"L{label}:;")
            self._regions.append(_Region(len(self._lines)))
            self._say("")

    def _forget(self, block: _Block) -> None:
        """Branches bring other values of what a block takes."""
        for at in range(len(block.parameters)):
            self._known.pop(block.height + at, None)

    def _else(self, operands: _Operands) -> None:
        block = self._blocks[-1]
        if not self._dead:
            self._say(f"goto L{block.label};")
            block.isUsed = True
        self._say(f"E{block.label}:;")
        block.otherwise = self._dead = False
        self._stack[block.height :] = block.parameters
        self._forget(block)

    def _end(self, operands: _Operands) -> None:
        block = self._blocks.pop()
        isReached = not self._dead or block.isUsed or block.otherwise
        if block.otherwise:
            self._say(f"E{block.label}:;")
        if block.code == _LOOP:
            region = self._regions.pop()
            self._lines[region.line] = f"kn_use(m, {region.count});"
            isReached = not self._dead
        elif block.isUsed:
            self._say(f"L{block.label}:;")
        if not isReached and not self._blocks:
            self._say("kn_trap(m, KN_UNREACHABLE);")
        self._dead = not isReached
        self._stack[block.height :] = block.results
        for at, kind in enumerate(block.results, block.height):
            self._slot(at, kind)
            self._known.pop(at, None)

    def _branch(self, depth: int) -> str:
        """C that goes to a block's end, or a loop's begin, with what it carries at its place."""
        block = self._blocks[-1 - depth]
        block.isUsed = True
        source, moves = len(self._stack) - len(block.taken), ""
        if source != block.height:
            for at, kind in enumerate(block.taken):
                moves += f"{self._slot(block.height + at, kind)} = {self._slot(source + at, kind)}; "
        return f"{{ {moves}goto L{block.label}; }}"

    def _always(self, operands: _Operands) -> None:
        self._say(self._branch(operands[0]))
        self._dead = True

    def _if(self, operands: _Operands) -> None:
        condition = self._pop()
        self._say(f"if ({condition}) {self._branch(operands[0])}")

    def _table(self, operands: _Operands) -> None:
        choice = self._pop()
        self._say(f"switch ({choice}) {{")
        for at, depth in enumerate(operands[:-1]):
            self._say(f"case {at}: {self._branch(depth)}")
        self._say(f"default: {self._branch(operands[-1])}")
        self._say("}")
        self._dead = True

    def _return(self, operands: _Operands) -> None:
        self._always((len(self._blocks) - 1,))

    def _unreachable(self, operands: _Operands) -> None:
        self._say("kn_trap(m, KN_UNREACHABLE);")
        self._dead = True


def _constants(kind: str) -> Callable[[FunctionWriter, _Operands], None]:
    return lambda writer, operands: writer._constant(kind, operands[0])


def _begins(code: int) -> Callable[[FunctionWriter, _Operands], None]:
    return lambda writer, operands: writer._begin(code, operands[0])


_STEPS: dict[int, Callable[[FunctionWriter, _Operands], None]] = {
    0x00: FunctionWriter._unreachable,
    0x01: lambda writer, operands: None,
    _BLOCK: _begins(_BLOCK),
    _LOOP: _begins(_LOOP),
    _IF: _begins(_IF),
    _ELSE: FunctionWriter._else,
    _END: FunctionWriter._end,
    0x0C: FunctionWriter._always,
    0x0D: FunctionWriter._if,
    0x0E: FunctionWriter._table,
    0x0F: FunctionWriter._return,
    0x10: FunctionWriter._call,
    0x11: FunctionWriter._callIndirect,
    0x1A: FunctionWriter._drop,
    0x1B: FunctionWriter._select,
    0x1C: FunctionWriter._select,
    0x20: FunctionWriter._getLocal,
    0x21: FunctionWriter._setLocal,
    0x22: FunctionWriter._teeLocal,
    0x23: FunctionWriter._getGlobal,
    0x24: FunctionWriter._setGlobal,
    0x3F: FunctionWriter._memorySize,
    0x40: FunctionWriter._memoryGrow,
    0x41: _constants("i32"),
    0x42: _constants("i64"),
    0x43: _constants("f32"),
    0x44: _constants("f64"),
    0xFC: FunctionWriter._prefixed,
}
"""Instructions that are more than an expression, or a load or store."""
