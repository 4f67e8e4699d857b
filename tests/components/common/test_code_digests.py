"""The code digest: what it follows, what leaves it alone, and what is kept of sources."""

import ast
import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp
import pytest

from components.common import code_digests
from components.common.code_digests import code_digest, module_digests
from components.common.result_neutral import RESULT_NEUTRAL

ROOT = Path(__file__).parents[3]
STAGES = sorted(
    path.parent.name
    for path in ROOT.glob("components/*/stage.py")
    if path.parent.name != "rung"  # It runs other stages, and has no key.
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the same form as components, each module importing in another way."""
    files = {
        "house/__init__.py": "",
        "house/common/__init__.py": "",
        "house/common/absolute.py": "import numpy\nfrom house.common.deep import value\n",
        "house/common/deep.py": "value = 1\n",
        "house/common/lazy.py": "",
        "house/common/relative.py": "",
        "house/common/unused.py": "",
        "house/stage/__init__.py": "",
        "house/stage/core.py": "from ..common import relative\n",
        "house/stage/main.py": (
            "import house.common.absolute\n"
            "from house.stage import core\n"
            "def run():\n"
            "    from house.common.lazy import thing\n"
        ),
        "numpy.py": "",
        "house.py.orig": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def digest(root: Path, module: str = "house.stage.main") -> str:
    module_digests.cache_clear()
    return code_digest(module, root)


@pytest.mark.parametrize(
    "module",
    [
        "stage/main", "stage/core", "stage/__init__", "__init__", "common/__init__",
        "common/absolute", "common/deep", "common/lazy", "common/relative",
    ],
)  # fmt: skip
def test_code_digest_follows_every_way_to_import(package: Path, module: str) -> None:
    before = digest(package)
    with (package / "house" / f"{module}.py").open("a") as file:
        file.write("other = 1\n")
    assert digest(package) != before


def test_code_digest_leaves_other_code_alone(package: Path) -> None:
    before = digest(package)
    (package / "house/common/unused.py").write_text("other = 1\n")
    (package / "numpy.py").write_text("other = 1\n")
    assert digest(package) == before


def test_code_digest_does_not_depend_on_where_the_code_lies(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(package, copy)
    assert digest(copy) == digest(package)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A root that holds a copy of all components, to be edited."""
    shutil.copytree(ROOT / "components", tmp_path / "components")
    return tmp_path


def edit(root: Path, files: Iterable[str]) -> None:
    for file in files:
        with (root / file).open("a", encoding="utf-8") as text:
            text.write("EDITED = True\n")


def keys(root: Path) -> dict[str, str]:
    """Returns what of each stage's key its code shapes."""
    return {stage: digest(root, f"components.{stage}.stage") for stage in STAGES}


def test_editing_what_shapes_no_output_moves_no_key(copied: Path) -> None:
    before = keys(copied)
    edit(copied, RESULT_NEUTRAL)
    assert keys(copied) == before


@pytest.mark.slow
def test_editing_one_line_of_a_module_moves_the_keys_of_exactly_the_stages_that_it_shapes(
    copied: Path,
) -> None:
    before = {stage: modules(copied, stage) for stage in STAGES}
    files = [path.relative_to(copied).as_posix() for path in copied.rglob("*.py")]
    edit(copied, files)
    for stage in STAGES:
        after = modules(copied, stage)
        changed = {file for file in after if after[file] != before[stage].get(file)}
        assert changed == before[stage].keys() == shaping(stage), stage


def modules(root: Path, stage: str) -> Mapping[str, str]:
    module_digests.cache_clear()
    return module_digests(f"components.{stage}.stage", root)


def shaping(stage: str) -> set[str]:
    """Returns the files that shape a stage's output, by the graph that import-linter judges by."""
    graph = import_graph()
    stage = f"components.{stage}.stage"
    found, pending = set(), {stage}
    while pending:
        found |= pending
        # Python runs the packages above a module before it.
        above = {name.rpartition(".")[0] for name in found} - {""}
        reached = set().union(*(graph.find_upstream_modules(name) for name in pending | above))
        pending = ((reached | above) & graph.modules) - found
    return {file_of(module) for module in found}


@functools.cache
def import_graph() -> grimp.ImportGraph:
    """Returns the graph of components' imports, without what shapes no output."""
    graph = grimp.build_graph("components", cache_dir=None)
    for module in sorted(graph.modules):
        if file_of(module) in RESULT_NEUTRAL:
            graph.remove_module(module)
    return graph


def file_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def test_what_shapes_no_output_is_there_and_is_no_stages_own() -> None:
    for file in RESULT_NEUTRAL:
        assert (ROOT / file).is_file(), file
        assert file.startswith("components/common/")


def test_what_shapes_outputs_shapes_those_of_the_stages_that_use_it() -> None:
    shaped = {
        "components/common/shell/stage.py": {*STAGES} - {"notify"},  # Which has no key.
        "components/common/documents/base.py": set(STAGES),
        "components/common/training/loop.py": {"finetune", "compress", "quantize"},
        "components/common/process/peak_memory.py": {"benchmark"},
        "components/common/statistics/noninferiority.py": {"gate", "propose"},
        "components/gate/trials.py": {"gate"},
        "components/common/tasks/image/preparation/pictures.py": {"preprocess"},
        "components/common/tasks/image/statistics.py": {"preprocess"},
        "components/common/tasks/image/showing.py": {"report"},
        "components/common/tasks/image/inputs.py": {"finetune", "compress", "quantize"},
        "components/common/tasks/image/export.py": {"quantize"},
        "components/common/tasks/image/calibration.py": {"compress", "quantize"},
        "components/common/tasks/image/device.py": {
            "finetune",
            "compress",
            "quantize",
            "evaluate",
            "benchmark",
            "gate",
            # Which are never answered from the store.
            "validate",
            "report",
        },
        "components/common/tasks/image/thumbnails.py": {"report"},
        "components/common/tasks/image/model_card.py": {"publish"},
        **{f"components/{stage}/stage.py": {stage} for stage in STAGES},
    }
    files = {stage: modules(ROOT, stage) for stage in STAGES}
    for file, stages in shaped.items():
        assert {stage for stage in STAGES if file in files[stage]} == stages, file


@pytest.mark.slow
def test_a_comment_or_docstring_added_anywhere_changes_no_digest(copied: Path) -> None:
    before = keys(copied)
    files = list((copied / "components").rglob("*.py"))
    for path in files:
        path.write_text(explain(path.read_text()))
    assert len(files) > 100
    assert keys(copied) == before


def explain(source: str) -> str:
    """Returns a module with a comment and one more text above the first line of every body."""
    lines = source.split("\n")
    heads = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    for first in sorted({node.body[0] for node in heads}, key=lambda node: -node.lineno):
        decorators = getattr(first, "decorator_list", [])
        line = min([first.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        if not lines[line][: first.col_offset].strip(" @"):
            indent = " " * first.col_offset
            lines[line:line] = [f"{indent}# Said once more.", f'{indent}"""Said in other words."""']
    return "\n".join([*lines, "# The end.", '"""The very end."""', ""])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = '1'"),
        ("x = 0", "x = ''"),
        ("x = 'a'", "x = 'b'"),
        ("x = None", "x = 'None'"),
        ("x = []", "x = ()"),
        ("f('a')", "f('b')"),
        ("def f(a): pass", "def f(a=0): pass"),
        ("def f(): return 'a'", "def f(): return 'b'"),
        ("@cache\ndef f(): pass", "def f(): pass"),
        ("x = f'{y:.1f}'", "x = f'{y:.2f}'"),
        ("if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
    ],
)
def test_what_runs_otherwise_has_another_digest(package: Path, before: str, after: str) -> None:
    found = set()
    for text in (before, after):
        (package / "house/common/deep.py").write_text(text)
        found.add(digest(package))
    assert len(found) == 2


def test_layout_changes_no_digest(package: Path) -> None:
    found = set()
    for text in ("x = f(1, 'a')", 'x = f(\n    1,\n\n    "a",\n)\n', "'Said.'\nx = (f)(1, 'a')"):
        (package / "house/common/deep.py").write_text(text)
        found.add(digest(package))
    assert len(found) == 1


def test_the_digest_is_the_same_in_every_version_of_python(package: Path) -> None:
    (package / "house/common/deep.py").write_text(
        "class C(list[int], metaclass=M):\n"
        "    x: int = field(default=1)\n"
        "    async def f(self, a, /, *b: str, c=-1, **d) -> str | None:\n"
        "        return f'{a!r:>{c}} \u00e9\U0001fae8' 'b' f\"{d['e']}\"\n"
        "    y = (z := a) if b else lambda: ...\n"
        "match z:\n"
        "    case {'k': [1, *rest], **more} | C(x=None): pass\n"
        "with a as b, c: x = [*d, {**e}, 1j, b'\\xff', 1_000, u'u']\n",
        encoding="utf-8",
    )
    expected = "3a5b625743dd6f8600c3e2f8e38ae980c89b1b5df3024af9915167afcab682d4"
    assert digest(package) == expected


@pytest.mark.slow
def test_code_digest_imports_nothing() -> None:
    program = f"""
import sys
from components.common.code_digests import code_digest
before = set(sys.modules)
for stage in {STAGES}:
    code_digest(f"components.{{stage}}.stage")
loaded = {{name.split(".")[0] for name in set(sys.modules) - before}}
assert loaded <= sys.stdlib_module_names, loaded
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what sources tell is kept; nothing is yet."""
    monkeypatch.setattr(code_digests, "_KEPT", tmp_path / "kept" / "code.json")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "kept" / "code.json"


def digest_in_a_new_process(root: Path) -> str:
    code_digests._recall.cache_clear()
    return digest(root)


@pytest.mark.usefixtures("kept")
def test_a_source_is_parsed_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_in_a_new_process(package)
    with (package / "house/stage/core.py").open("a") as file:
        file.write("other = 1\n")
    parsed: list[bytes] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda source: parsed.append(source) or parse(source))
    after = digest_in_a_new_process(package)
    assert after != before
    assert parsed == [(package / "house/stage/core.py").read_bytes()]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": ["b"]}', "null", '"\ud83d"'])
def test_what_is_kept_and_damaged_is_made_anew(package: Path, kept: Path, damage: str) -> None:
    before = digest_in_a_new_process(package)
    whole = kept.read_bytes()
    kept.write_bytes(damage.encode("utf-8", "surrogatepass"))
    assert digest_in_a_new_process(package) == before
    assert kept.read_bytes() == whole


def test_where_nothing_may_be_kept_sources_are_parsed(
    package: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_in_a_new_process(package)
    kept.unlink()
    kept.mkdir()
    assert digest_in_a_new_process(package) == before
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept.rmdir()
    assert digest_in_a_new_process(package) == before
    assert not kept.exists()


def test_what_is_kept_does_not_grow_for_ever(
    package: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_digests, "_MOST_KEPT", 12)
    for number in range(20):
        with (package / "house/stage/core.py").open("a") as file:
            file.write(f"other{number} = 1\n")
        digest_in_a_new_process(package)
    assert len(json.loads(kept.read_bytes())) <= 13
