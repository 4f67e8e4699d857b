"""Workplaces of runs: a task's examples and recipe, a copy of the code, and what runs leave."""

import dataclasses
import io
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from components.common.storage import LocalStorage
from components.preprocess.samples import write_sample
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.encoders import make_encoder
from tests.pipeline.local_runs import LocalRun

EXAMPLES = 700
TEXTS = """
name: films
task: text
data: {folder: examples, splits: {train: 0.3, validation: 0.2, test: 0.5}}
train: {encoder: encoder, epochs: 30, optimizer: {learning_rate: 0.05}, lora: {epochs: 1, rank: 2}}
compress:
  variants:
    short: {steps: [{vocabulary: {at_least: 1}}, {length: {tokens: 16}}], schemes: [dynamic_range]}
quantize: {schemes: [float32, dynamic_range]}
budgets: {accuracy_drop: 0.05}
benchmark: {runs: 20, warmup_runs: 2, max_seconds: 5}
"""
_WORDS = ("film", "fair", "fairly", "the", "was")


@dataclasses.dataclass(frozen=True)
class Work:
    """What runs of a task are of.

    Attributes:
      write: puts the examples into a folder, one sub-folder a class, and beside it what else the
        recipe names.
      arguments: of `litesmith run`, in the folder above.
      candidates: all there are.
      change: a value of the recipe.
      changed: the tasks that depend on it.
      another: makes another example of one.
    """

    write: Callable[[Path], None]
    arguments: tuple[str, ...]
    candidates: frozenset[str]
    change: str
    changed: frozenset[str]
    another: Callable[[bytes], bytes]


@dataclasses.dataclass(frozen=True)
class Workplace:
    """A copy of what a user has, of the code and, maybe, of a finished data root."""

    work: Work
    folder: Path

    @property
    def given(self) -> Path:
        """The examples, and what else the recipe names."""
        return self.folder / "given"

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def data_root(self) -> Path:
        return self.folder / "data"

    def copy(self, folder: Path, *, computed: bool) -> "Workplace":
        """Returns the same elsewhere, with or without what was computed."""
        for name in ("given", "code", *(["data"] if computed else [])):
            shutil.copytree(self.folder / name, folder / name)
        return dataclasses.replace(self, folder=folder)

    def start(self, *overrides: str) -> LocalRun:
        arguments = list(self.work.arguments)
        for override in overrides:
            arguments += ["--set", override]
        return LocalRun(
            arguments,
            data_root=self.data_root,
            folder=self.folder,
            environment={"PYTHONPATH": str(self.code)},
        )

    def run(self, *overrides: str) -> LocalRun:
        run = self.start(*overrides)
        assert run.wait(timeout=900) in (ExitCode.OK, ExitCode.NOT_BLESSED), run.output()
        return run

    def models(self) -> dict[str, bytes]:
        """Returns the path and bytes of every `.tflite` in the store."""
        store = self.data_root / "store"
        return {
            str(path.relative_to(store)): path.read_bytes()
            for path in (store / "quantize").rglob("model.tflite")
        }

    def blessed_model(self) -> bytes:
        (model,) = (self.data_root / "registry").rglob("model.tflite")
        return model.read_bytes()

    def shards(self) -> list[Path]:
        return list((self.data_root / "shards").rglob("*.tfrecord"))

    def edit(self, file: str) -> None:
        """Changes a source file's code, but not what it does."""
        with (self.code / file).open("a") as source:
            source.write("\n_EDITED = True\n")


def _write_pictures(given: Path) -> None:
    storage = LocalStorage(str(given.parent))
    samples = Path(storage.uri(write_sample("digits", storage)))
    for label in range(10):
        folder = given / "examples" / str(label)
        folder.mkdir(parents=True)
        for picture in sorted((samples / str(label)).iterdir())[: EXAMPLES // 10]:
            shutil.copy(picture, folder)


def _turn(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        turned = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    buffer = io.BytesIO()
    turned.save(buffer, "PNG")
    return buffer.getvalue()


def _write_texts(given: Path) -> None:
    """Writes texts that are told apart by a word which stands there three times."""
    chance = random.Random(0)
    make_encoder("minilm").write(given / "encoder")
    (given / "recipe.yaml").write_text(TEXTS)
    for number in range(EXAMPLES):
        label = ("bad", "good")[number % 2]
        folder = given / "examples" / label
        folder.mkdir(parents=True, exist_ok=True)
        rest = [chance.choice(_WORDS) for _ in range(chance.randint(0, 6))]
        text = " ".join(["The film was VERY", label, label, label, *rest, str(number)])
        (folder / f"{number:03}.txt").write_text(text)


WORKS: Mapping[str, Work] = {
    "pictures": Work(
        write=_write_pictures,
        arguments=("digits", "--tiny", "--set", "data.folder=given/examples")
        + ("--set", "budgets.accuracy_drop=0.05"),
        candidates=frozenset({"float32", "int8", "pruned-int8"}),
        change="quantize.calibration_examples=100",
        changed=frozenset({
            "quantize[int8]", "evaluate[int8]", "quantize[pruned-int8]", "evaluate[pruned-int8]",
            "benchmark",
        }),
        another=_turn,
    ),
    "texts": Work(
        write=_write_texts,
        arguments=("given/recipe.yaml",),
        candidates=frozenset({"float32", "dynamic_range", "short-dynamic_range"}),
        change="compress.variants.short.steps.1.length.tokens=12",
        changed=frozenset({
            "compress[short]", "quantize[short-dynamic_range]", "evaluate[short-dynamic_range]",
            "benchmark",
        }),
        another=lambda data: data + b" was",
    ),
}  # fmt: skip
