"""What knows pictures is in one package: elsewhere no line of code speaks of them."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.recipe import load_recipe
from pipeline.recipe.text import write_commented

ROOT = Path(__file__).parents[4]
HOME = "components/common/tasks/image/"
TOLD = "picture"

WORDS = frozenset(
    "channels height width pixel pixels intensities uint8 jpeg png gif webp bmp rgb pil".split()
)
"""What only pictures have, and what they are decoded with."""

ALLOWED: dict[str, frozenset[str]] = {
    # What documents hold of pictures. Documents lie below the tasks, so that every stage reads
    # them without a task's code; the manifest and the bundle name these parts, and no field.
    "components/common/documents/image.py": frozenset(
        {"channels", "height", "width", "jpeg", "png", "pixel"}
    ),
    "components/common/documents/dataset.py": frozenset({"pixel"}),
    # A source, which writes pictures into files as whoever collects a data set does.
    "components/preprocess/samples.py": frozenset({"pil", "png", "uint8", "intensities"}),
    # Names of notes and of checks, which stand in manifests and recipes.
    "components/common/documents/rejects.py": frozenset({"pixels"}),
    "components/validate/": frozenset({"pixels"}),
    # The libraries whose versions stand in a record.
    "components/common/process/libraries.py": frozenset({"pil"}),
    # The factor by which a backbone's layers are widened.
    "components/common/documents/bundle.py": frozenset({"width"}),
    "components/finetune/": frozenset({"width"}),
    # What the layers of any convolutional network have: channels, and how many.
    "components/common/training/frozen_part.py": frozenset({"width"}),
    "components/compress/": frozenset({"channels", "width"}),
    "components/propose/rungs/": frozenset({"channels", "width"}),
    "pipeline/recipe/ladder.py": frozenset({"channels"}),
    # Bytes of sketches, and which split an example is in.
    "components/common/tasks/sketched.py": frozenset({"uint8"}),
    "components/preprocess/sketched.py": frozenset({"uint8"}),
    "components/preprocess/traits.py": frozenset({"uint8"}),
    "components/preprocess/shard_index.py": frozenset({"uint8"}),
    # Bytes of files, the types that a .tflite file may have, and what a scheme puts out.
    "components/common/data/membership.py": frozenset({"uint8"}),
    "components/common/documents/candidate.py": frozenset({"uint8"}),
    "components/common/lite/": frozenset({"uint8"}),
    "components/tools/": frozenset({"uint8"}),
    "components/common/training/checkpoints.py": frozenset({"uint8"}),
    "components/common/training/resumption.py": frozenset({"uint8"}),
    "components/quantize/": frozenset({"uint8"}),
    # How many numbers are counted under one name, and how many digits a row has.
    "components/preprocess/shards.py": frozenset({"width"}),
    "components/preprocess/layouts/parquet.py": frozenset({"width"}),
    # Drawings and columns of the report and the terminal.
    "components/report/": frozenset({"height", "width"}),
    "pipeline/": frozenset({"width"}),
}
"""File or folder -> the words that it may use in another sense, or must."""

SAYS_SO = (
    "components/tools/",  # Commands on files that take pictures, and what prints them.
    "pipeline/cli/lite.py",
    "pipeline/terminal/lite_views.py",
    "components/compress/",  # Steps that take no other task's models.
    "components/validate/classes.py",  # Training flips nothing else.
    "components/preprocess/layouts/",  # Of collections of pictures.
    "pipeline/recipe/",  # Names the task.
)
"""File or folder that may tell people of pictures: nobody there has other examples."""


def modules() -> Iterator[str]:
    for folder in ("components", "pipeline"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            if not file.startswith(HOME):
                yield file


@functools.cache
def words_of(source: str) -> frozenset[str]:
    """Returns the words that a module's code, without comments and docstrings, is made of."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found |= parts(name)
            case ast.keyword(arg=str(name)):
                found |= parts(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found |= parts(name)
            case ast.Import(names=names):
                found |= {word for alias in names for word in parts(alias.name)}
            case ast.ImportFrom(module=module, names=names):
                # A module of the task's own is imported under its own name.
                if not (module or "").startswith("components.common.tasks.image"):
                    found |= {word for alias in names for word in parts(alias.name)}
                    found |= parts(module or "")
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.]+", text):
                found |= parts(text)  # A name as text: of a type, a field or a format.
    return frozenset(found)


def parts(name: str) -> set[str]:
    """Returns the words of a name, in lower case: `MAX_IMAGE_PIXELS` and `maxImagePixels` alike."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+", name)}


def allowed_in(file: str) -> frozenset[str]:
    found = (words for place, words in ALLOWED.items() if file.startswith(place))
    return frozenset[str]().union(*found)


def test_code_outside_the_task_does_not_speak_of_pictures() -> None:
    spoken = {
        file: found
        for file in modules()
        if (found := (words_of((ROOT / file).read_text()) & WORDS) - allowed_in(file))
    }
    assert spoken == {}


def test_nothing_is_allowed_that_nobody_says() -> None:
    said = {file: words_of((ROOT / file).read_text()) for file in modules()}
    for place, words in ALLOWED.items():
        used = set().union(*(said[file] for file in said if file.startswith(place)))
        assert words <= used, place


def sentences_of(source: str) -> Iterator[str]:
    """Yields what a module's code may tell people: its texts that are no docstrings."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and node.value
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node.value


def test_nobody_is_told_of_pictures_who_may_have_texts() -> None:
    told = {
        file: found
        for file in modules()
        if not file.startswith(SAYS_SO)
        and (found := [each for each in sentences_of((ROOT / file).read_text()) if TOLD in each])
    }
    assert told == {}


def test_a_recipe_for_texts_speaks_of_no_pictures() -> None:
    recipe = load_recipe("tweets", locations="open")
    assert [line for line in write_commented(recipe).splitlines() if TOLD in line.lower()] == []


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("from PIL import Image", "pil"),
        ("import PIL.Image", "pil"),
        ("x = tf.io.decode_jpeg(y)", "jpeg"),
        ("x = np.zeros(3, np.uint8)", "uint8"),
        ("x = np.zeros(3, 'uint8')", "uint8"),
        ("def f(image_height): pass", "height"),
        ("f(max_pixels=3)", "pixels"),
        ("class RGBPicture: pass", "rgb"),
    ],
)
def test_the_words_are_found_in_every_sort_of_code(source: str, word: str) -> None:
    assert words_of(source) & WORDS == {word}


def test_comments_docstrings_and_sentences_may_speak_of_pictures() -> None:
    assert words_of('"""Of pixels."""\n# uint8\nsay("the height of a picture")') & WORDS == set()
