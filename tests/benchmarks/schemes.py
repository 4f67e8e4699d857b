"""What each quantization scheme makes of one model: accuracy on test, sizes, and time.

The model is a small net on scikit-learn's digits, or with `--data` the newest fine-tuned model of
a data root, with the test split that is there. Each file is made as quantize makes it, but for
metadata; files then take turns at one thread, as `litesmith bench` times them, against float32.
int16x8 takes so long that it is timed apart, over fewer rounds.

    python -m tests.benchmarks.schemes
    python -m tests.benchmarks.schemes --data litesmith-data
"""

import argparse
import dataclasses
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from components.common.documents.bundle import Architecture, ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.image import InputSpec
from components.common.keras import keras, tf
from components.common.lite.litert import SIGNATURE, Classifier
from components.common.lite.packing import deflated_bytes
from components.common.models.bundles import load_bundle_model
from components.common.statistics.metrics import share_estimate
from components.common.storage import open_storage
from components.common.tasks.calibration import choose_examples
from components.common.tasks.image.calibration import span_range
from components.common.tasks.image.export import export_module
from components.common.tasks.image.models.classifier import build_classifier
from components.common.tasks.reading import device_input, read_examples
from components.common.words.markdown import markdown_table
from components.quantize.backends import BACKENDS
from components.quantize.backends.litert_quantizer import quantize_file
from components.quantize.schemes import SCHEMES
from components.quantize.schemes.scheme import ConversionError
from components.tools.bench import bench
from tests.builders.bundles import input_spec, normalize

SLOW = "int16x8"
"""Timed apart."""


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A model to convert, the pictures to calibrate on, and those of its test split."""

    model: keras.Model
    spec: InputSpec
    calibration: Any
    pictures: Any
    labels: Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a data root, whose newest model is taken")
    parser.add_argument("--files", type=Path, help="where files are kept; those there are taken")
    parser.add_argument("--epochs", type=int, default=12, help="of the net on digits")
    parser.add_argument("--float-layers", default="^head$", help="of int8_selective, with commas")
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--runs", type=int, default=200, help="timed inferences of each file")
    arguments = parser.parse_args()
    subject = read_root(arguments.data) if arguments.data else train_on_digits(arguments.epochs)
    kinds = [*dict.fromkeys(["float32", *arguments.schemes.split(",")])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        make_files(subject, kinds, arguments.float_layers.split(","), folder)
        files = {kind: path for kind in kinds if (path := folder / f"{kind}.tflite").exists()}
        answers = {kind: predict(path, subject.pictures) for kind, path in files.items()}
        rows = [
            [kind, *tell_accuracy(subject, answers, kind), *tell_sizes(path)]
            + [tell_time(files, kind, arguments.runs)]
            for kind, path in files.items()
        ]
    print(f"{len(subject.labels)} test pictures of {'x'.join(map(str, subject.spec.shape))}\n")
    headings = ["scheme", "accuracy (95 %)", "lost / won", "same answer", "bytes", "zipped"]
    print(markdown_table([*headings, "time, float32 = 1"], rows))


def train_on_digits(epochs: int) -> Subject:
    """Trains on two thirds of the digits, which are 8x8 pixels in 17 levels."""
    digits = load_digits()
    pictures = np.kron(digits.images, np.ones((1, 4, 4)))[..., np.newaxis] * (255 / 16)
    pictures = pictures.round().astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(pictures))
    train, test = order[:1198], order[1198:]
    spec = input_spec(*pictures.shape[1:])
    keras.utils.set_random_seed(0)
    model = build_classifier(Architecture(backbone="small_cnn"), spec, 10)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    model.fit(normalize(pictures[train]), digits.target[train], epochs=epochs, verbose=0)
    calibration = span_range(pictures[train][:200])
    return Subject(model, spec, calibration, pictures[test], digits.target[test])


def read_root(root: Path) -> Subject:
    """Reads the newest dense model of a data root, and its data set."""
    bundle, dataset = (
        max(root.glob(f"store/{pattern}"), key=lambda path: path.stat().st_mtime).parent
        for pattern in ("finetune/*/*/bundle.json", "preprocess/*/*/dataset.json")
    )
    manifest, storage = DatasetManifest.read(dataset), open_storage(str(root))
    see = device_input(manifest)
    chosen = choose_examples(
        read_examples(manifest, "train", storage), manifest.splits["train"].examples_per_class, 200
    )
    test = list(read_examples(manifest, "test", storage))
    return Subject(
        load_bundle_model(bundle),
        ModelBundle.read(bundle).input,
        span_range(np.stack([*map(see, chosen)])),
        np.stack([*map(see, test)]),
        np.array([example.label for example in test]),
    )


def make_files(subject: Subject, kinds: list[str], float_layers: list[str], folder: Path) -> None:
    """Writes each scheme's file; says why where there is none. float32 comes first."""
    exported = export_module(subject.model, subject.spec)
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(exported, saved, signatures={SIGNATURE: exported.serve})
        for kind in kinds:
            path = folder / f"{kind}.tflite"
            if path.exists():
                continue
            scheme = SCHEMES[kind]
            stated = {"float_layers": float_layers} if kind == "int8_selective" else {}
            settings = scheme.settings_in(stated)
            tell = partial(scheme.tell, settings=settings, examples=subject.calibration)
            try:
                if scheme.backend == "litert_quantizer":
                    # As its `convert` does, which makes the float file anew.
                    data = quantize_file((folder / "float32.tflite").read_bytes(), tell)
                else:
                    data = BACKENDS[scheme.backend](Path(saved), tell)
                scheme.check(data)
            except ConversionError as error:
                print(f"{kind}: {error}")
                continue
            path.write_bytes(data)


def predict(path: Path, pictures: Any) -> Any:
    """Returns the class that a file names for each picture."""
    classifier = Classifier(path, threads=2)
    return np.array([classifier.classify(picture).argmax() for picture in pictures])


def tell_accuracy(subject: Subject, answers: dict[str, Any], kind: str) -> list[str]:
    right, reference = answers[kind] == subject.labels, answers["float32"] == subject.labels
    share = share_estimate(int(right.sum()), len(right))
    lost, won = int((reference & ~right).sum()), int((right & ~reference).sum())
    same = float((answers[kind] == answers["float32"]).mean())
    accuracy = f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
    return [accuracy, f"{lost} / {won}", f"{100 * same:.1f} %"]


def tell_sizes(path: Path) -> list[str]:
    data = path.read_bytes()
    return [f"{len(data):,}", f"{deflated_bytes(data):,}"]


def tell_time(files: dict[str, Path], kind: str, runs: int) -> str:
    """Returns the ratio of two files' medians, which take turns."""
    if kind == "float32":
        return "1"
    count = runs // 10 if kind == SLOW else runs
    timed = bench([files["float32"], files[kind]], threads=[1], runs=count, max_seconds=60)
    ratio = timed.models[1].latencies[0].ratio
    assert ratio is not None
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


if __name__ == "__main__":
    main()
