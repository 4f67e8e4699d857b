"""Reads pickles as PyTorch writes them, and runs nothing of what they hold.

A pickle is a program for a machine with a stack. This one knows the instructions that
numbers, texts, tuples, lists and mappings are made with, and refuses all others. A name of
a class or function is only ever looked up in the caller's table of what stands for it:
nothing is imported, and no object is given a state. What it makes is in proportion to the
pickle's own size, which is bounded.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

LARGEST = 2_000_000
"""Bytes of a pickle: some 10,000 tensors have a place in it."""

_CONSTANTS: Mapping[str, Any] = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle(stream: IO[bytes], names: Mapping[str, Any], *, refer: Callable[[Any], Any]) -> Any:
    """Reads one pickle from a stream, and leaves it behind the pickle's last byte.

    Args:
      stream: may hold more behind the pickle.
      names: what stands for a global such as `collections.OrderedDict`; a function is called
        in its place.
      refer: makes what is given as a persistent id into an object.

    Raises:
      ValueError: the pickle is damaged, too large, or asks for something else.
    """
    unpickler = _Unpickler(names, refer)
    start = stream.tell()
    for opcode, argument, position in pickletools.genops(stream):
        if position is not None and position - start > LARGEST:
            raise ValueError(f"its pickle has more than {LARGEST:,} bytes")
        if opcode.name == "STOP":
            return unpickler.pop()
        unpickler.execute(opcode.name, argument)
    raise ValueError("its pickle has no end")


class _Unpickler:
    def __init__(self, names: Mapping[str, Any], refer: Callable[[Any], Any]) -> None:
        self._names, self._refer = names, refer
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self._stack:
            raise ValueError("its pickle takes from an empty stack")
        return self._stack.pop()

    def execute(self, name: str, argument: Any) -> None:
        """Executes an instruction, by the name that pickletools gives it."""
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(self._stack))
            case "BINPERSID":
                self._stack.append(self._refer(self.pop()))
            case "REDUCE":
                arguments, function = self.pop(), self.pop()
                if not callable(function) or not isinstance(arguments, tuple):
                    raise ValueError("it calls what is no function")
                self._stack.append(function(*arguments))
            case "BUILD":
                # A mapping's attributes, such as the `_metadata` of a state_dict.
                self.pop()
                self._top(dict)
            case "APPEND" | "APPENDS" | "SETITEM" | "SETITEMS":
                self._extend(name)
            case "GLOBAL":
                self._stack.append(self._look_up(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                attribute, module = self.pop(), self.pop()
                self._stack.append(self._look_up(f"{module}.{attribute}"))
            case "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                place = len(self._memo) if name == "MEMOIZE" else argument
                self._memo[place] = self._top()
            case "BINGET" | "LONG_BINGET":
                if argument not in self._memo:
                    raise ValueError("its pickle refers to nothing")
                self._stack.append(self._memo[argument])
            case _:
                self._stack.append(self._make(name, argument))

    def _make(self, name: str, argument: Any) -> Any:
        """Returns the value that an instruction makes."""
        match name:
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                return argument
            case "BINUNICODE" | "SHORT_BINUNICODE":
                return argument
            case "EMPTY_DICT":
                return {}
            case "EMPTY_LIST":
                return []
            case "TUPLE":
                return tuple(self._since_mark())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                return tuple([self.pop() for _ in range(_TUPLES[name])][::-1])
        if name not in _CONSTANTS:
            raise ValueError(f"its pickle has the instruction {name}")
        return _CONSTANTS[name]

    def _extend(self, name: str) -> None:
        """Puts items into the list or the mapping below them."""
        count = {"APPEND": 1, "SETITEM": 2}.get(name)
        items = self._since_mark() if count is None else [self.pop() for _ in range(count)][::-1]
        if name.startswith("APPEND"):
            self._top(list).extend(items)
            return
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):  # A nested tuple may take for ever to hash.
                raise ValueError("a key of a mapping is no text")
            target[key] = value

    def _since_mark(self) -> list[Any]:
        if not self._marks or self._marks[-1] > len(self._stack):
            raise ValueError("its pickle has a mark out of place")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self, kind: type = object) -> Any:
        top = self.pop()
        self._stack.append(top)
        if not isinstance(top, kind):
            raise ValueError(f"its pickle takes {type(top).__name__} for {kind.__name__}")
        return top

    def _look_up(self, name: str) -> Any:
        if name not in self._names:
            raise ValueError(f"it asks for {name}")
        return self._names[name]
