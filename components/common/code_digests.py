"""The digest of the code that a stage runs, which is part of its key.

What a module's source told is kept beside its bytecode, where Python may write that: each stage
begins by this, with a hundred modules, whose sources take longer to parse than bytecode to load.
It is known by the source's digest, so that nothing is out of date, and is believed as bytecode is:
whoever can write there can change the code.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.common.digests import canonical_json, text_digest
from components.common.errors import UserError
from components.common.result_neutral import RESULT_NEUTRAL
from components.common.storage.files import write_whole_file

_ROOT = Path(__file__).parents[2]
_KEPT = Path(importlib.util.cache_from_source(__file__)).with_name("code-digests.json")
_MOST_KEPT = 2_000
"""Sources, some times as many as there are: what changed long ago goes, with all others."""

Told = tuple[str, tuple[str, ...]]
"""A module's digest, and the names that it may import."""


def code_digest(module: str, root: Path = _ROOT) -> str:
    """Digests the code of a module and of all modules of its distribution it imports.

    Imports are followed statically, those inside functions too, and without importing
    anything: the digest changes when code that the module can run changes, and not with its
    comments, docstrings and layout, nor with RESULT_NEUTRAL modules and what these alone import.

    Args:
      module: dotted name, such as `components.compress.stage`.
      root: the folder that holds the module's top-level package.
    """
    return text_digest(canonical_json(module_digests(module, root)))


@functools.cache
def module_digests(module: str, root: Path = _ROOT) -> Mapping[str, str]:
    """Returns what a code digest is made of: each module's path from the root -> its digest."""
    found: dict[str, str] = {}
    sources = _Sources()
    looked_at, pending = set[str](), {module}
    while pending:
        name = pending.pop()
        looked_at.add(name)
        file = _find_module(name, root)
        if file is None or file in RESULT_NEUTRAL:
            continue
        above = name.rpartition(".")[0]
        package = name if file.endswith("/__init__.py") else above
        found[file], imported = sources.read((root / file).read_bytes(), package)
        # Python runs the packages above it first.
        own = [above, *(other for other in imported if other.split(".")[0] == name.split(".")[0])]
        pending |= set(own) - looked_at
    sources.keep()
    return found


class _Sources:
    """What modules' sources tell, those that were read before among them."""

    def __init__(self) -> None:
        # What this module makes of a source is part of what is kept.
        self._own = hashlib.sha256(Path(__file__).read_bytes())
        self._known = _recall()
        self._grown = False

    def read(self, source: bytes, package: str) -> Told:
        """Returns what a source of a package's module tells."""
        digest = self._own.copy()
        digest.update(f"{package}\n".encode() + source)
        key = digest.hexdigest()
        if key not in self._known:
            self._known[key] = _parse(source, package)
            self._grown = True
        return self._known[key]

    def keep(self) -> None:
        """Keeps what was read, for other processes."""
        if self._grown and not sys.dont_write_bytecode:
            with contextlib.suppress(OSError, UserError):  # Others may not write there.
                write_whole_file(_KEPT, json.dumps(self._known).encode())


@functools.cache
def _recall() -> dict[str, Told]:
    """Returns what was kept: what each source told, by its digest."""
    try:
        kept = json.loads(_KEPT.read_bytes())
        known = {str(key): (str(digest), tuple(names)) for key, (digest, names) in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # There is none, or it is damaged.
        return {}
    return known if len(known) <= _MOST_KEPT else {}


def _parse(source: bytes, package: str) -> Told:
    telling = _Telling()
    telling.tell(ast.parse(source))
    imported = (name for node in telling.imports for name in _imported_modules(node, package))
    return text_digest("".join(telling.texts)), tuple(imported)


class _Telling:
    """Makes a syntax tree one text, the same in every version of Python; and finds its imports.

    `ast.dump` would not do: its versions differ in what they tell of what is empty. What does
    nothing is left out. One walk does both, and what has no parts is told without a call: to tell a
    tree takes as long as to parse it.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def tell(self, node: ast.AST) -> None:
        texts = self.texts
        texts.append(f"{node.__class__.__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None:
                continue
            if isinstance(value, list):
                self._tell_list(name, value, node)
            elif not isinstance(value, ast.AST):
                texts.append(f"{name}={ascii(value)}")  # Versions of repr escape other characters.
            elif value._fields:
                texts.append(f"{name}=")
                self.tell(value)
            else:
                texts.append(f"{name}={value.__class__.__name__}()")
        texts.append(")")
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)

    def _tell_list(self, name: str, values: list[Any], parent: ast.AST) -> None:
        values = [value for value in values if not _is_idle(value, parent)]
        if not values:
            return
        self.texts.append(f"{name}=[")
        for value in values:
            if isinstance(value, ast.AST):
                self.tell(value)
            else:
                self.texts.append(ascii(value))
            self.texts.append(",")
        self.texts.append("]")


def _is_idle(node: Any, parent: ast.AST) -> bool:
    """Whether a part of a syntax tree does nothing."""
    # A docstring: of a module, class or function, or of the line above.
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    # Python 3.12.1 ends format specs with an empty text.
    return isinstance(parent, ast.JoinedStr) and isinstance(node, ast.Constant) and node.value == ""


def _find_module(name: str, root: Path) -> str | None:
    """Finds a module's file, relative to the root; importlib would import the packages above it.

    Most names that a `from` imports are no modules, so the module above is looked for first.
    """
    place, above = name.replace(".", "/"), name.rpartition(".")[0].replace(".", "/")
    if above and os.path.isfile(f"{root}/{above}.py"):
        return None
    candidates = f"{place}.py", f"{place}/__init__.py"
    return next((file for file in candidates if os.path.isfile(f"{root}/{file}")), None)


def _imported_modules(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Yields the absolute names that an import statement in a module of a package may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        relative = "." * node.level + (node.module or "")
        base = importlib.util.resolve_name(relative, package)
        # `from package import name` loads package, and name where it is a module.
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
