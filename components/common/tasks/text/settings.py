"""What a recipe says of how texts become examples."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.common.config import Section

if TYPE_CHECKING:
    from components.common.tasks.text.plan import TextPlan

Length = Annotated[int, Field(ge=2, le=8192)]


class TextSettings(Section):
    """A part of the recipe's `data` section."""

    length: Literal["auto"] | Length = "auto"
    """Tokens of an example, [CLS] and [SEP] among them: longer texts are cut. auto: so many that 99
    of 100 training texts are whole, rounded up to 16, and as many as the encoder takes at most."""
    max_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 4 << 20
    """Texts of more are rejected unread."""

    @property
    def max_file_bytes(self) -> int:
        return self.max_bytes

    def identify(self, encoder: str) -> Mapping[str, str]:
        """Returns the digests of what makes texts into examples, beside these settings."""
        from components.common.tasks.text.planning import identify_encoder

        return identify_encoder(encoder)

    def make_plan(self, encoder: str, training: Callable[[], Iterable[bytes]]) -> "TextPlan":
        """Returns what every text becomes.

        Args:
          encoder: whose vocabulary it is: a name, or the address of a folder.
          training: yields the texts of the training split, in an order that says nothing of them.

        Raises:
          UserError: the encoder can't be read, or takes fewer tokens than `length`.
        """
        from components.common.tasks.text.planning import plan_texts

        return plan_texts(self.length, encoder, training)
