"""What README and docs tell a user to write or to type is accepted by what they tell it of."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from components.common.errors import UserError
from pipeline.cli.main import app
from pipeline.declarations.yaml_files import parse_yaml, write_yaml
from pipeline.recipe import SHIPPED, load_recipe
from pipeline.schedules import load_schedules
from pipeline.target import KubeflowTarget, load_target
from tests.builders.targets import make_target
from tests.documented import blocks, mentioned, typed

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
EXAMPLES = sorted((REPOSITORY / "docs").rglob("*.y*ml"))
SOURCES = sorted(
    path for room in ("pipeline", "components") for path in (REPOSITORY / room).rglob("*.py")
)
_PLACE = re.compile(r"^(?:docs|images|manifests|tests|requirements|pipeline|components)/[\w./-]+$")

_RECIPE = {
    "name": "part",
    "data": {"sample": "digits", "image_size": 96},
    "train": {"backbone": "efficientnet_lite0"},
}

_TEXT_RECIPE = {
    "name": "part",
    "data": {"list": "gs://bucket/texts.csv"},
    "train": {"encoder": "minilm_l6"},
}


def check_command(text: str, *, whole: bool) -> None:
    """Looks whether the command line takes a command: the command, its options, its arguments.

    Args:
      text: `litesmith run RECIPE --tiny`; what stands in braces is a value.
      whole: whether arguments may not be left out.
    """
    words = shlex.split(re.sub(r"\{[^}]*\}", "VALUE", text), comments=True)[1:]
    end = next((i for i, word in enumerate(words) if word in ("||", "&&", "|", ">")), len(words))
    words = [word for word in words[:end] if word != "--help"]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{text}: there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    if not words and hasattr(command, "commands"):
        return  # A group, which shows its help.
    try:
        command.make_context("litesmith", words)
    except Exception as error:
        if whole or not str(error).startswith("Missing "):
            raise AssertionError(f"{text}: {error}") from error


def check_make(text: str) -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    locks = [path.stem for path in (REPOSITORY / "requirements").glob("*.lock")]
    targets += [".venv/.ready", *(f".venv/.ready-{name}" for name in (*locks, "SET"))]
    for word in shlex.split(text.replace("-C litesmith ", ""), comments=True)[1:]:
        assert word in targets or re.fullmatch(r"[A-Z]+=\S+|\.\.\.", word), f"{text}: no {word}"


def load_block(text: str, folder: Path) -> str:
    """Loads a block as what it seems to be; a part of a recipe or target within a whole one."""
    values = parse_yaml(text)
    path = folder / "block.yaml"
    (folder / "schema.yaml").write_text(text if "classes" in values else "classes: [rose]")
    if "classes" in values:
        path.write_text(write_yaml({**_RECIPE, "validate": {"data_schema": "schema.yaml"}}))
        load_recipe(str(path))
        return "schema"
    if "data" in values or values.keys() & {"compress", "quantize", "prune"}:
        whole = _TEXT_RECIPE if values.get("task") == "text" else _RECIPE
        path.write_text(write_yaml({**whole, **values}))
        load_recipe(str(path), locations="elsewhere")
        return "recipe"
    if "schedules" in values:
        path.write_text(text)
        load_schedules(path)
        return "schedules"
    whole = make_target(folder, service_account="runner").model_dump(
        mode="json", exclude_unset=True
    )
    path.write_text(write_yaml({**whole, **values}))
    assert isinstance(load_target(str(path)), KubeflowTarget)
    return "target"


def every_block() -> list[Any]:
    found = [(page, text) for page in PAGES for text in blocks(page, "yaml")]
    return [pytest.param(text, id=f"{page.name} {n}") for n, (page, text) in enumerate(found)]


@pytest.mark.parametrize("text", every_block())
def test_every_block_of_yaml_is_accepted(text: str, tmp_path: Path) -> None:
    load_block(text, tmp_path)


def test_the_readers_of_blocks_refuse(tmp_path: Path) -> None:
    (recipe,) = blocks(REPOSITORY / "README.md", "yaml")
    assert load_block(recipe, tmp_path) == "recipe"
    with pytest.raises(UserError, match="budgets.size_bytes"):
        load_block(recipe.replace("4_000_000", "4 MB"), tmp_path)
    assert load_block("classes: [rose]", tmp_path) == "schema"
    with pytest.raises(UserError, match="schema.yaml: the schema is refused"):
        load_block("classes: [rose]\nformats: [JPEG]", tmp_path)
    assert load_block("stages: {finetune: {workers: 4}}", tmp_path) == "target"
    with pytest.raises(UserError, match="there is no such key"):
        load_block("stages: {finetune: {worker: 4}}", tmp_path)


@pytest.mark.parametrize(
    "path",
    [*PAGES, *EXAMPLES, *sorted(SHIPPED.glob("*.yaml")), REPOSITORY / "Makefile"],
    ids=lambda path: path.name,
)
def test_every_command_of_the_docs_exists(path: Path) -> None:
    for whole, commands in ((True, typed(path)), (False, mentioned(path))):
        for text in commands:
            if text.startswith("make "):
                check_make(text)
            else:
                check_command(text, whole=whole)


def test_commands_are_found_wherever_they_stand() -> None:
    found = {text.split("  ")[0] for path in (*PAGES, *EXAMPLES) for text in typed(path)}
    found |= {text for path in PAGES for text in mentioned(path)}
    for text in (
        "litesmith run folder --set data.folder=PATH",
        "litesmith models rollback",
        "litesmith target validate <name>",
        "litesmith submit digits --target <name> --wait",
        "litesmith schedule apply --file schedules.yaml",
        "make bench",
    ):
        assert text in found
    assert len(found) > 40


def test_every_command_that_a_message_names_exists() -> None:
    named = {text for path in SOURCES for text in mentioned(path)}
    assert len(named) > 10
    for text in named:
        if text.startswith("litesmith "):
            check_command(text, whole=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("litesmith recipes show digits", "no command recipes"),
        ("litesmith recipe shown digits", "no command shown"),
        ("litesmith run digits --tinny", "--tinny"),
        ("litesmith run", "Missing parameter: recipe"),
        ("litesmith run digits folder", "extra argument"),
        ("litesmith schedule backfill NAME --from yesterday --to 2026-01-31", "yesterday"),
    ],
)
def test_a_wrong_command_would_be_found(text: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_command(text, whole=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    for link in links:
        assert not link or "://" in link or (page.parent / link).exists(), link
    named = [word for code in re.findall(r"`([^`]+)`", text) for word in code.split()]
    named += [word for block in blocks(page, "", "sh") for word in block.split()]
    for word in filter(_PLACE.match, named):
        assert (REPOSITORY / word).exists() or "_" not in word and word.endswith("/"), word
    for module in re.findall(r"python -m (tests\.[\w.]+)", text):
        assert (REPOSITORY / module.replace(".", "/")).with_suffix(".py").exists(), module
