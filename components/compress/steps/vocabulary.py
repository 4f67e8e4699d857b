"""Vocabulary: an encoder without the tokens that its data set hardly uses.

A word that has lost its token is spelled by shorter ones, as WordPiece does of any word that it
does not know. The variant has a vocabulary of its own from there on: whatever learns from texts,
or asks the model about them, reads them by it, and its files hold it for the device.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from components.common.config import Section
from components.common.documents.bundle import StepFacts
from components.common.documents.dataset import TaskName
from components.common.errors import UserError
from components.compress.steps.step import Compressed

if TYPE_CHECKING:
    from components.common.training.session import Session

KIND = "vocabulary"


class Settings(Section):
    """A recipe's step `vocabulary`: of recipes for texts alone. It trains nothing."""

    OF_TASK: ClassVar[TaskName] = "text"

    at_least: Annotated[int, Field(ge=1)] = 5
    """How often a token must stand in the training split to be kept. Marks and single characters
    are kept whatever their number."""


def apply(model: Any, settings: Settings, session: "Session") -> Compressed:
    """Trims what a text classifier knows of tokens.

    Raises:
      UserError: every token is frequent enough, or it is no text classifier.
    """
    from components.common.tasks.text.models.resizing import trim_classifier
    from components.common.tasks.text.trimming import (
        count_tokens,
        describe_trimmed,
        trim_vocabulary,
    )
    from components.common.tasks.text.vocabulary import read_vocabulary
    from components.common.training.sampling import read_training_split

    if session.spec.task != "text":
        raise UserError(f"{KIND}: only texts are made of tokens; remove the step")
    assert session.dataset is not None, "this session was opened without the data set's folder"
    before = read_vocabulary(session.spec, session.dataset)
    counts = count_tokens(read_training_split(session), before)
    trimmed = trim_vocabulary(before, counts, at_least=settings.at_least)
    known, left = len(before.tokens), len(trimmed.kept)
    if left == known:
        raise UserError(
            f"{KIND}.at_least: each of the {known:,} tokens stands {settings.at_least} times in "
            "the training split, is a mark or a single character; state more, or remove the step"
        )
    title = f"keep {left:,} of {known:,} tokens"
    return Compressed(
        model=trim_classifier(model, trimmed.kept),
        history=(),
        best_epoch=0,
        facts=StepFacts(kind=KIND, activity="trimming the vocabulary", title=title),
        input=describe_trimmed(trimmed, session.spec),
    )
