"""The model card: what whoever uses the model must know, in Markdown and as HTML."""

import dataclasses
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.common.documents.benchmark import Benchmark
from components.common.documents.candidate import Candidate, TFLiteModel
from components.common.documents.dataset import SPLITS, DatasetManifest
from components.common.documents.decision import CandidateVerdict, Decision
from components.common.documents.evaluation import Evaluation
from components.common.documents.image import ImageSpec
from components.common.documents.release import Ancestry, Release
from components.common.tasks.image.words import fit_in_words
from components.common.words.figures import interval, milliseconds, percent, points, size
from components.common.words.markdown import escape_markdown

_TEMPLATES = Path(__file__).with_name("templates")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardFacts:
    """All that the card is made of."""

    release: Release
    description: str
    candidate: Candidate
    evaluation: Evaluation
    benchmark: Benchmark
    manifest: DatasetManifest
    decision: Decision
    ancestry: Ancestry


def render_markdown(facts: CardFacts) -> str:
    return _render("README.md.j2", facts, escape=False)


def render_html(facts: CardFacts) -> str:
    """Returns one page that needs no other file and no network."""
    return _render("model_card.html.j2", facts, escape=True)


def _render(template: str, facts: CardFacts, *, escape: bool) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        text=escape_markdown, milliseconds=milliseconds, percent=percent, points=points, size=size
    )
    return environment.get_template(template).render(
        facts=facts,
        release=facts.release,
        model=facts.release.model,
        verdict=_winner(facts.decision),
        properties=_properties(facts),
        metrics=_metrics(facts.release),
        example=example_code(facts.release.model, facts.manifest.image),
        image=facts.manifest.image,
        fitted=fit_in_words(facts.manifest.image),
        classes=[
            (metrics, facts.manifest.splits["train"].examples_per_class[label])
            for label, metrics in enumerate(facts.evaluation.per_class)
        ],
        splits=[(split, facts.manifest.splits[split]) for split in SPLITS],
        budgets=facts.decision.budgets.model_dump(exclude_none=True),
    )


def example_code(model: TFLiteModel, image: ImageSpec) -> str:
    """Returns a few lines of Python that classify a picture with the released files.

    Args:
      model: the released model.
      image: how pictures are made square.
    """
    _, height, width, channels = model.input.shape
    mode = "L" if channels == 1 else "RGB"
    bilinear = f"({width}, {height}), Image.Resampling.BILINEAR"
    fitted = {
        "crop": f"ImageOps.fit(picture, {bilinear})",
        "pad": f"ImageOps.pad(picture, {bilinear}, color={image.background!r})",
        "stretch": f"picture.resize({bilinear})",
    }[image.fit]
    scale = ""
    if model.output.scale:
        scale = (
            f"\nprobabilities = {model.output.scale!r} * "
            f"(probabilities.astype(np.int32) - {model.output.zero_point})"
        )
    return f"""\
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

interpreter = Interpreter(model_path="model.tflite")
classify = interpreter.get_signature_runner("serving_default")
with open("labels.txt", encoding="utf-8", newline="\\n") as lines:
    labels = lines.read().split("\\n")

picture = ImageOps.exif_transpose(Image.open("picture.png")).convert("{mode}")
picture = {fitted}
pixels = np.asarray(picture, np.{model.input.dtype}).reshape(1, {height}, {width}, {channels})
probabilities = classify(image=pixels)["probabilities"][0]{scale}
best = probabilities.argmax()
print(labels[best], probabilities[best])"""


def _properties(facts: CardFacts) -> list[tuple[str, str]]:
    """Returns the card's head: name and text."""
    release, model = facts.release, facts.release.model
    accuracy = release.metrics["accuracy"]
    shape = " × ".join(str(length) for length in model.input.shape)
    rows = [
        ("Scheme", f"{facts.candidate.scheme}, from the {facts.candidate.variant} model"),
        ("Classes", str(len(release.class_names))),
        ("Input", f"{model.input.dtype}, {shape}: raw pixels in [0, 255]"),
        ("Fit", f"{facts.manifest.image.fit}: pictures are {fit_in_words(facts.manifest.image)}"),
        ("Output", f"{model.output.dtype}, one probability a class"),
        ("Size", f"{size(model.size_bytes)}; {size(model.zipped_bytes)} zipped"),
        (
            "Accuracy",
            f"{percent(accuracy.value)} (95 % interval {interval(accuracy.low, accuracy.high)}, "
            f"{facts.evaluation.examples} test examples)",
        ),
    ]
    if release.latency_ms is not None:
        machine = facts.benchmark.machine
        rows.append(
            (
                "Latency",
                f"{milliseconds(release.latency_ms)} (p50, one thread) on {machine.cpu_model}, "
                f"{machine.cores} cores",
            )
        )
    rows += [("Created", release.created), ("Run", release.run_id), ("SHA-256", model.sha256)]
    return rows


def _metrics(release: Release) -> list[tuple[str, str, str]]:
    """Returns name, value and 95 % interval of each metric."""
    rows = []
    for name, estimate in release.metrics.items():
        text = "{:.3f}".format if name == "log_loss" else percent
        interval = f"{text(estimate.low)} to {text(estimate.high)}"
        rows.append((name.replace("_", " "), text(estimate.value), interval))
    return rows


def _winner(decision: Decision) -> CandidateVerdict:
    return next(
        verdict for verdict in decision.candidates if verdict.candidate_id == decision.winner
    )
