"""What validate found."""

from typing import ClassVar, Literal

from components.common.documents.base import Document, Part


class DatasetFinding(Part):
    """Something that validate noticed."""

    check: str
    severity: Literal["warn", "stop"]
    message: str


class Validation(Document):
    file_name: ClassVar[str] = "validation.json"

    findings: tuple[DatasetFinding, ...]
