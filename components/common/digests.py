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
from collections.abc import Iterator, Mapping
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
    pending = [module]
    while pending:
        name = pending.pop()
        path = _module_path(name, root)
        if path is None or (file := path.relative_to(root).as_posix()) in found:
            continue
        if file in RESULT_NEUTRAL:
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found[file], imported = _read_code(path.read_bytes(), package)
        pending.append(name.rpartition(".")[0])  # Python runs the packages above it first.
        pending.extend(other for other in imported if other.split(".")[0] == name.split(".")[0])
    return found


@functools.cache
def _read_code(source: bytes, package: str) -> tuple[str, tuple[str, ...]]:
    """Returns a module's digest, and the names that it may import."""
    tree = ast.parse(source)
    return text_digest(_syntax(tree)), tuple(_imported_modules(tree, package))


def _syntax(tree: ast.AST) -> str:
    """Returns a syntax tree as one text, the same in every version of Python.

    `ast.dump` would not do: its versions differ in what they tell of what is empty. What does
    nothing is left out.
    """
    texts: list[str] = []
    _tell(tree, texts)
    return "".join(texts)


def _tell(node: Any, texts: list[str]) -> None:
    if isinstance(node, ast.AST):
        texts.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                value = [item for item in value if not _is_idle(item, node)]
            if value is not None and value != []:
                texts.append(f"{name}=")
                _tell(value, texts)
        texts.append(")")
    elif isinstance(node, list):
        texts.append("[")
        for item in node:
            _tell(item, texts)
            texts.append(",")
        texts.append("]")
    else:
        texts.append(ascii(node))  # Versions of repr differ in which characters they escape.


def _is_idle(node: Any, parent: ast.AST) -> bool:
    """Whether a part of a syntax tree does nothing."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True  # A docstring: of a module, class or function, or of the line above.
        case ast.Constant(value=""):
            return isinstance(parent, ast.JoinedStr)  # Python 3.12.1 ends format specs with it.
    return False


def _module_path(name: str, root: Path) -> Path | None:
    """Finds a module's file; importlib would import the packages on the way to it."""
    parts = name.split(".")
    candidates = (
        root.joinpath(*parts[:-1], f"{parts[-1]}.py"),
        root.joinpath(*parts, "__init__.py"),
    )
    return next((path for path in candidates if path.is_file()), None)


def _imported_modules(tree: ast.AST, package: str) -> Iterator[str]:
    """Yields the absolute names that import statements in a module of a package may load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package)
            # `from package import name` loads package, and name where it is a module.
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
