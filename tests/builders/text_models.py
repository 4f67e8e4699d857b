"""Classifiers on small random encoders, and texts to train them on."""

from pathlib import Path
from typing import Any

import numpy as np

from components.common.documents.dataset import DatasetManifest, SplitExamples
from components.common.documents.encoder import TextArchitecture
from components.common.documents.text import TextStatistics
from components.common.keras import tf
from components.common.process.events import Events
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.models.classifier import build_classifier
from components.common.tasks.text.models.pretrained import assign_encoder
from components.common.training.examples import KeptExamples
from components.common.training.session import Session
from tests.builders.encoders import draw_tokens, make_encoder, text_spec
from tests.builders.synthetic import LINEAGE


def build_small_classifier(shape: str, folder: Path, *, classes: int, length: int) -> Any:
    """Returns a classifier on an encoder of one of SHAPES, whose files go to a folder."""
    checkpoint = read_checkpoint(make_encoder(shape).write(folder))
    model = build_classifier(
        TextArchitecture(encoder=checkpoint.spec), text_spec(length=length), classes
    )
    assign_encoder(model, checkpoint)
    return model


def open_parity_session(*, train: int, validation: int, length: int = 12) -> Session:
    """Returns what a training works with: texts whose class is the parity of their first token."""
    splits = _parities(train, length=length, seed=0), _parities(validation, length=length, seed=1)
    spec = text_spec(length=length)
    manifest = DatasetManifest(
        class_names=("even", "odd"),
        spec=spec,
        compression="none",
        splits={
            name: SplitExamples(
                examples=len(each),
                shards=(),
                examples_per_class=tuple(np.bincount(each.labels, minlength=2).tolist()),
            )
            for name, each in zip(("train", "validation"), splits, strict=True)
        },
        source_fingerprint="synthetic",
        statistics=TextStatistics(),
        rejects={},
        records=train + validation,
        slices=(),
        lineage=LINEAGE,
    )
    return Session(
        manifest=manifest, spec=spec, train=splits[0], validation=splits[1], events=Events("test")
    )


def _parities(count: int, *, length: int, seed: int) -> KeptExamples:
    tokens = draw_tokens(count, length=length, seed=seed)
    labels = tokens[:, 0, 0] % 2
    return KeptExamples(inputs=tf.constant(tokens), labels=tf.constant(labels, tf.int64))
