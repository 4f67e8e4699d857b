"""Content digests: of text, of files, of directory trees, of the code a stage runs.

All digests are SHA-256 in lower-case hexadecimal. Everything litesmith writes is
deterministic byte for byte (archives carry fixed dates), so no digest needs to pass
over volatile bytes.
"""

import ast
import functools
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from components.common.result_neutral import RESULT_NEUTRAL

_ROOT = Path(__file__).parents[2]


def canonical_json(value: Any) -> str:
    """Returns the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(value)


# One for all: json.dumps makes another for each text, which takes longer than a short one.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_texts(texts: Iterable[str]) -> str:
    """Returns the canonical JSON of a list of texts, in half the time: there are a great many."""
    return f"[{','.join(map(encode_basestring, texts))}]"


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(directory: Path) -> str:
    """Digests the files below a directory: their relative paths and their bytes.

    Empty directories do not count: a bucket has none.
    """
    files = sorted(
        (path.relative_to(directory).as_posix(), file_digest(path))
        for path in directory.rglob("*")
        if path.is_file()
    )
    return text_digest(canonical_json(files))


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
    looked_at, pending = set[str](), {module}
    while pending:
        name = pending.pop()
        looked_at.add(name)
        file = _find_module(name, root)
        if file is None or file in RESULT_NEUTRAL:
            continue
        above = name.rpartition(".")[0]
        package = name if file.endswith("/__init__.py") else above
        found[file], imported = _read_code((root / file).read_bytes(), package)
        # Python runs the packages above it first.
        own = [above, *(other for other in imported if other.split(".")[0] == name.split(".")[0])]
        pending |= set(own) - looked_at
    return found


@functools.cache
def _read_code(source: bytes, package: str) -> tuple[str, tuple[str, ...]]:
    """Returns a module's digest, and the names that it may import."""
    telling = _Telling()
    telling.tell(ast.parse(source))
    imported = (name for node in telling.imports for name in _imported_modules(node, package))
    return text_digest("".join(telling.texts)), tuple(imported)


class _Telling:
    """Makes a syntax tree one text, the same in every version of Python; and finds its imports.

    `ast.dump` would not do: its versions differ in what they tell of what is empty. What does
    nothing is left out. Each stage begins by this, with a hundred modules: so one walk does both,
    and what has no parts is told without a call.
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
