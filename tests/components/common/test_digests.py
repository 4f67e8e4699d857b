"""Content digests, and the code digest: what it follows, and what leaves it alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from components.common.digests import (
    RESULT_NEUTRAL,
    canonical_json,
    code_digest,
    module_digests,
    tree_digest,
)

ROOT = Path(__file__).parents[3]
STAGES = sorted(path.parent.name for path in ROOT.glob("components/*/component.py"))


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


@pytest.mark.slow
@pytest.mark.parametrize("edited", [STAGES[::2], STAGES[1::2]])
def test_editing_a_component_changes_its_own_digest_alone(
    edited: list[str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "components", tmp_path / "components")
    for stage in edited:
        with (tmp_path / "components" / stage / "stage.py").open("a") as file:
            file.write("EDITED = True\n")
    changed = [
        name
        for name in STAGES
        if digest(tmp_path, f"components.{name}.stage") != code_digest(f"components.{name}.stage")
    ]
    assert changed == edited


@pytest.mark.slow
def test_editing_what_shapes_no_output_changes_no_digest(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "components", tmp_path / "components")
    for file in RESULT_NEUTRAL:
        path = tmp_path / file
        path.write_text(path.read_text() + "\nEDITED = True\n")
    for name in STAGES:
        module = f"components.{name}.stage"
        assert digest(tmp_path, module) == digest(ROOT, module), name


def test_editing_what_shapes_outputs_changes_the_digests_of_what_can_reach_it() -> None:
    # The graph that import-linter judges by, found in another way than the digests.
    graph = grimp.build_graph("components", cache_dir=None)
    reached = {
        name: {name, *graph.find_upstream_modules(name)}
        for name in (f"components.{stage}.stage" for stage in STAGES)
        if name in graph.modules
    }
    for stage, modules in reached.items():
        files = {f"{module.replace('.', '/')}.py" for module in modules}
        shaping = {file for file in files if (ROOT / file).is_file()} - RESULT_NEUTRAL
        found = {file for file in module_digests(stage) if not file.endswith("__init__.py")}
        assert found == shaping, stage
    assert len(reached) == len(STAGES) - 1, "candidate has no stage of its own"
    everywhere = set.intersection(*map(set, map(module_digests, reached)))
    assert {
        "components/common/shell/stage.py",
        "components/common/documents/base.py",
    } <= everywhere


def test_a_comment_or_docstring_added_anywhere_changes_no_digest(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "components", tmp_path / "components")
    modules = list((tmp_path / "components").rglob("*.py"))
    for path in modules:
        path.write_text(explain(path.read_text()))
    assert len(modules) > 100
    for name in STAGES:
        module = f"components.{name}.stage"
        assert digest(tmp_path, module) == digest(ROOT, module)


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


def test_code_digest_imports_nothing() -> None:
    program = f"""
import sys
from components.common.digests import code_digest
before = set(sys.modules)
for stage in {STAGES}:
    code_digest(f"components.{{stage}}.stage")
loaded = {{name.split(".")[0] for name in set(sys.modules) - before}}
assert loaded <= sys.stdlib_module_names, loaded
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_tree_digest_sees_names_and_bytes_but_no_empty_folders(tmp_path: Path) -> None:
    def tree(**files: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "empty").mkdir(parents=True)
        return tree_digest(folder)

    digests = [tree(a="x", b="y"), tree(a="y", b="x"), tree(a="xy"), tree(a="x"), tree()]
    assert len(set(digests)) == len(digests)
    assert tree(b="y", a="x") == digests[0]


def test_canonical_json_has_one_text_for_a_value() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
