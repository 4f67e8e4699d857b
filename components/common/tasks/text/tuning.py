"""How an encoder becomes a classifier of texts: where its weights come from, and go.

What loads TensorFlow is imported where it is called, since a key is made without it.
"""

import tempfile
from pathlib import Path
from typing import Any

from components.common.documents.encoder import TextArchitecture
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.weights import encoder_digest, local_encoder


def identify_weights(config: Any) -> str:
    """Returns what enters the key: the content of the encoder's files, never where they lie.

    Raises:
      UserError: a file is not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return encoder_digest(local_encoder(config.encoder, Path(scratch)))


def fetch_weights(config: Any, scratch: Path) -> str:
    """Returns the path of a local folder with the encoder's files.

    Raises:
      UserError: a file is not there.
    """
    return str(local_encoder(config.encoder, scratch))


def describe_architecture(config: Any, weights: str) -> TextArchitecture:
    """Returns what the classifier's graph is built from: the sizes of the encoder in a folder."""
    return TextArchitecture(
        encoder=read_checkpoint(Path(weights)).spec,
        pooling=config.pooling,
        dropout=config.dropout,
        dropout_seed=config.seed,
    )


def assign_pretrained(model: Any, config: Any, weights: str) -> None:
    """Puts an encoder's weights into a classifier, all but its head.

    Raises:
      UserError: the files are damaged, or those of another encoder.
    """
    from components.common.tasks.text.models.pretrained import assign_encoder

    assign_encoder(model, read_checkpoint(Path(weights)))


def changes_examples(config: Any) -> bool:
    """Whether a text is another one in every epoch: never."""
    return False


def adapt(model: Any, config: Any) -> Any:
    """Returns a model that learns by adapters, where the recipe asks for them."""
    if config.lora is None:
        return model
    from components.common.tasks.text.models.lora import adapt as add_adapters

    return add_adapters(model, config.lora, seed=config.seed)


def merge(learner: Any, model: Any) -> None:
    """Puts what adapters have learned into the model; where its own layers have, does nothing."""
    if learner is not model:
        from components.common.tasks.text.models.lora import merge as merge_adapters

        merge_adapters(learner, model)
