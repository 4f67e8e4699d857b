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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


def canonical_json(value: Any) -> str:
    """Returns the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
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


@functools.cache
def code_digest(module: str, root: Path = _ROOT) -> str:
    """Digests the source of a module and of all modules of its distribution it imports.

    Imports are followed statically, those inside functions too, and without importing
    anything: the digest changes exactly when code that the module can run changes, and
    costs milliseconds.

    Args:
      module: dotted name, such as `components.prune.stage`.
      root: the folder that holds the module's top-level package.
    """
    sources: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _module_path(name, root)
        if name in sources or path is None:
            continue
        source = path.read_bytes()
        sources[name] = hashlib.sha256(source).hexdigest()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        pending.append(name.rpartition(".")[0])  # Python runs the packages above it first.
        imported = _imported_modules(ast.parse(source), package)
        pending.extend(found for found in imported if found.split(".")[0] == name.split(".")[0])
    return text_digest(canonical_json(sources))


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
