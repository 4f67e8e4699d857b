"""How an encoder becomes a classifier of texts: where its weights come from, and go.

What loads TensorFlow is imported where it is called, since a key is made without it.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.documents.bundle import HEAD
from components.common.documents.encoder import TextArchitecture
from components.common.errors import UserError
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.vocabulary import read_vocabulary
from components.common.tasks.text.weights import encoder_digest, local_encoder
from components.common.words.figures import shown

_BLOCK = re.compile(r"layer(\d+)_")


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


def describe_classes(config: Any, session: Any) -> npt.NDArray[np.int32]:
    """Returns the tokens of what is said of each class: int32 [classes, 3, length].

    Raises:
      UserError: a class is described that there is not.
    """
    from components.common.tasks.text.tokenizer import TextTokenizer

    names, said = session.manifest.class_names, config.class_descriptions
    if strange := sorted(said.keys() - set(names)):
        raise UserError(
            f"train.class_descriptions: there is no class {strange[0]!r}; there are {shown(names)}"
        )
    tokenizer = TextTokenizer(read_vocabulary(session.spec, session.dataset), session.spec.length)
    return np.stack([tokenizer.feed(said.get(name, name)) for name in names])


def changes_examples(config: Any) -> bool:
    """Whether a text is another one in every epoch: never."""
    return False


def adapt(model: Any, config: Any) -> Any:
    """Returns a model that learns by adapters, where the recipe asks for them."""
    if config.lora is None:
        return model
    from components.common.tasks.text.models.lora import adapt as add_adapters

    return add_adapters(model, config.lora, seed=config.seed)


def rates(model: Any, config: Any) -> Mapping[str, float]:
    """Returns layer -> its share of the learning rate: the deeper, the less, where recipes say so.

    What an encoder has learned of words in general lies deep, and is worth keeping (J. Howard,
    S. Ruder, Universal language model fine-tuning, 2018, section 3.2).
    """
    if config.unfreeze is None or config.layer_decay == 1:
        return {}
    blocks = [_BLOCK.match(layer.name) for layer in model.layers]
    numbers = [-1 if block is None else int(block[1]) for block in blocks]
    return {
        layer.name: config.layer_decay ** (max(numbers) + 1 - number)
        for layer, number in zip(model.layers, numbers, strict=True)
        if layer.weights and layer.name != HEAD
    }


def merge(learner: Any, model: Any) -> None:
    """Puts what adapters have learned into the model; where its own layers have, does nothing."""
    if learner is not model:
        from components.common.tasks.text.models.lora import merge as merge_adapters

        merge_adapters(learner, model)
