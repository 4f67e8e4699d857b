"""What whoever uses a model must know of the texts that it takes."""

from collections.abc import Mapping

from components.common.documents.candidate import TFLiteModel
from components.common.documents.text import TextSpec
from components.common.lite.model_files import read_model_file
from components.common.tasks.card_code import classifying_code
from components.common.tasks.text.tokenizer import make_tokenizer
from components.common.tasks.text.vocabulary import VOCABULARY_FILE, parse_vocabulary

CLASSIFIER = "a text classifier"

TOKENIZER_FILE = "tokenizer.json"


def input_properties(model: TFLiteModel, spec: TextSpec) -> list[tuple[str, str]]:
    """Returns name and text of what the card's head says of the input."""
    shape = " × ".join(str(length) for length in model.input.shape)
    return [("Input", f"three tensors, {model.input.dtype}, {shape}: ids, mask and segment ids")]


def explain_use(model: TFLiteModel, spec: TextSpec) -> str:
    """Returns how a text must be brought to the model, in a few lines of text."""
    return f"""\
The model takes a text's tokens, {model.input.shape[-1]} with [CLS] and [SEP]; what is longer is
cut. MediaPipe makes them itself, by the vocabulary inside the file, and so does an app's
TextClassifier: `TextClassifier.create_from_model_path("model.tflite").classify("A text.")` in
`mediapipe.tasks.python.text`. {TOKENIZER_FILE} gives the same tokens: ASCII letters in lower case,
accents kept."""


def example_code(model: TFLiteModel, spec: TextSpec) -> str:
    """Returns a few lines of Python that classify a text with the released files."""
    return classifying_code(
        model,
        needed="from tokenizers import Tokenizer",
        prepared=f'tokens = Tokenizer.from_file("{TOKENIZER_FILE}").encode("A text.")',
        fed="""
    input_ids=np.array([tokens.ids], np.int32),
    input_mask=np.array([tokens.attention_mask], np.int32),
    segment_ids=np.array([tokens.type_ids], np.int32),
""",
    )


def release_files(data: bytes, model: TFLiteModel) -> Mapping[str, bytes]:
    """Returns the tokenizer by the vocabulary that is in the model's own file."""
    content = read_model_file(data).files[VOCABULARY_FILE]
    vocabulary = parse_vocabulary(content, source=VOCABULARY_FILE)
    tokenizer = make_tokenizer(vocabulary, model.input.shape[-1])
    return {TOKENIZER_FILE: f"{tokenizer.to_str()}\n".encode()}
