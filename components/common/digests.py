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
def code_digest(module: str) -> str:
    """Digests the source of a module and of all litesmith modules it imports.

    Imports are followed statically, those inside functions too, so that the digest
    changes exactly when code that the module can run changes.

    Args:
      module: dotted name, such as `components.prune.stage`.
    """
    sources: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        path = _module_path(name)
        if path is None:
            continue
        source = path.read_bytes()
        sources[name] = hashlib.sha256(source).hexdigest()
        pending.extend(_imported_modules(ast.parse(source)))
    return text_digest(canonical_json(sources))


def _module_path(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _imported_modules(tree: ast.AST) -> Iterator[str]:
    """Yields the names under `components` that a module's import statements may load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # `from package import name` loads package, and name where it is a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "components")
