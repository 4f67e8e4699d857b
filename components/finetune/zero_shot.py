"""What is right without any training: the class whose description is the most alike.

An example and a description are compared by the cosine of what a pretrained model makes of each,
where its head would begin. What training is worth is what it adds to this.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from components.common.documents.evaluation import Estimate
from components.common.keras import keras
from components.common.statistics.metrics import share_estimate
from components.common.tasks.tuning import tuning_of
from components.common.training.input_pipeline import keep_computed
from components.common.training.loop import EVALUATION_BATCH, inference
from components.common.training.session import Session
from components.finetune.config import TrainConfig


def assess_zero_shot(model: Any, config: TrainConfig, session: Session) -> Estimate | None:
    """Returns the accuracy on the validation split, None where classes have no descriptions.

    Args:
      model: with pretrained weights, and a head that is not looked at.
      config: what finetune is told.
      session: what the model will learn from.

    Raises:
      UserError: a class is described that there is not.
    """
    described = tuning_of(config.task).describe_classes(config, session)
    if described is None or not len(session.validation):
        return None
    data = session.data(None)
    extract = inference(keras.Model(model.input, model.get_layer("pool").output))
    examples = keep_computed(session.validation, data.prepare, extract, batch_size=EVALUATION_BATCH)
    classes = extract(data.prepare(tf.constant(described), None))
    likeness = _directions(examples.inputs.numpy()) @ _directions(classes).T
    right = likeness.argmax(axis=1) == examples.labels.numpy()
    return share_estimate(int(right.sum()), len(right))


def _directions(features: Any) -> Any:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
