"""The model registry: immutable versions, and one pointer to the blessed one.

    <model>/blessed.json                      the pointer
    <model>/versions/<version>/documents.zip  what the version says of itself, written first
                               model.tflite, labels.txt, README.md, decision.json, ...
                               release.json   written last: without it there is no version

A version is the first 12 digits of its model's SHA-256, so that publishing a model again
finds the version that stands. Whoever creates `documents.zip` settles what all its files
say; anyone who publishes the same model, at the same time or after a crash, writes those
very bytes. So a version never mixes two runs, and one left incomplete is invisible until
the next publisher completes it.

The pointer moves by compare-and-swap alone: a mover states the generation that its
decision was made against, and loses if somebody moved it since.
"""

import contextlib
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime

from components.common.documents import BlessedPointer, Release
from components.common.errors import UserError
from components.common.storage import ABSENT, PreconditionError, Storage

MODEL_FILE = "model.tflite"
_ARCHIVE = "documents.zip"
_VERSION = re.compile("[0-9a-f]{12}")


class LostRaceError(Exception):
    """The pointer moved since the decision to move it was made."""


def version_of(model_sha256: str) -> str:
    """Returns the version that a model's digest names."""
    return model_sha256[:12]


def model_names(storage: Storage) -> tuple[str, ...]:
    """Returns the names of the models that a registry holds."""
    return tuple(sorted({blob.name.split("/")[0] for blob in storage.list("") if "/" in blob.name}))


class Registry:
    """The versions of one model, and which of them is blessed."""

    def __init__(self, storage: Storage, model_name: str) -> None:
        self._storage = storage
        self.model_name = model_name

    def blessed(self) -> tuple[BlessedPointer | None, int]:
        """Returns the pointer and its generation; (None, ABSENT) where nothing is blessed."""
        data, generation = self._storage.read_with_generation(self._pointer_name())
        if generation == ABSENT:
            return None, ABSENT
        return BlessedPointer.parse(data), generation

    def releases(self) -> tuple[Release, ...]:
        """Returns all complete versions, the oldest first."""
        names = [blob.name for blob in self._storage.list(f"{self.model_name}/versions/")]
        found = [
            Release.parse(self._storage.read(name))
            for name in names
            if name.endswith(f"/{Release.file_name}")
        ]
        return tuple(sorted(found, key=lambda release: (release.created, release.version)))

    def release(self, version: str) -> Release:
        """Returns a version's release.

        Raises:
          UserError: there is no such version, or it is not complete.
        """
        try:
            if not _VERSION.fullmatch(version):
                raise FileNotFoundError(version)
            return Release.parse(self.read(version, Release.file_name))
        except FileNotFoundError as error:
            known = ", ".join(release.version for release in self.releases()) or "none yet"
            raise UserError(
                f"{version}: the model {self.model_name} has no such version in "
                f"{self._storage.root} (versions: {known})"
            ) from error

    def read(self, version: str, file_name: str) -> bytes:
        """Returns a file of a version.

        Raises:
          FileNotFoundError: the version has no such file.
        """
        return self._storage.read(self._name(version, file_name))

    def read_model(self, version: str) -> bytes:
        """Returns a version's `.tflite` file.

        Raises:
          UserError: the version is unknown, or its file is missing or damaged.
        """
        release = self.release(version)
        try:
            data = self.read(version, MODEL_FILE)
        except FileNotFoundError:
            data = b""
        if hashlib.sha256(data).hexdigest() != release.model.sha256:
            raise UserError(
                f"{self.uri(version, MODEL_FILE)}: is missing or damaged; restore it, or bless "
                "another version with `litesmith models rollback VERSION`"
            )
        return data

    def uri(self, version: str, file_name: str = "") -> str:
        folder = f"{self.model_name}/versions/{version}"
        return self._storage.uri(f"{folder}/{file_name}" if file_name else folder)

    def publish(self, release: Release, model: bytes, documents: Mapping[str, bytes]) -> Release:
        """Puts a version into the registry, or completes or adopts the one that stands.

        Args:
          release: describes the version.
          model: the `.tflite` file.
          documents: the version's other files, by name.

        Returns:
          The release that stands: another run's, where that published this model first.

        Raises:
          ValueError: the file is not the one that the release describes.
          UserError: the version stands, but what it says of itself is damaged.
        """
        version = release.version
        if hashlib.sha256(model).hexdigest() != release.model.sha256:
            raise ValueError(f"{version}: the model is not the one that the release describes")
        archive = _pack({**documents, Release.file_name: release.to_json().encode() + b"\n"})
        try:
            settled = _unpack(self._create(self._name(version, _ARCHIVE), archive))
        except zipfile.BadZipFile as error:
            raise UserError(
                f"{self.uri(version, _ARCHIVE)}: is damaged; delete the version's folder and "
                "publish again"
            ) from error
        last = settled.pop(Release.file_name)
        for file_name, data in {MODEL_FILE: model, **settled}.items():
            self._ensure(self._name(version, file_name), data)
        self._ensure(self._name(version, Release.file_name), last)
        return Release.parse(last)

    def bless(self, release: Release, *, run_id: str, generation: int) -> BlessedPointer:
        """Moves the pointer to a version.

        Args:
          release: a complete version.
          run_id: the run that decided it.
          generation: the pointer's, when the decision was made; ABSENT for none.

        Raises:
          LostRaceError: the pointer was moved since.
        """
        standing, seen = self.blessed()
        if seen != generation:
            raise LostRaceError(self.model_name)
        history = (*standing.history, standing.version) if standing else ()
        withdrawn = standing.withdrawn if standing else ()
        return self._move(
            release, standing, history, withdrawn, run_id=run_id, generation=generation
        )

    def roll_back(self, version: str | None = None) -> BlessedPointer:
        """Moves the pointer to the version blessed before this one, or to a given one.

        The version that is left for an older one is withdrawn: no run blesses it again.

        Raises:
          UserError: nothing is blessed, there is no version before or no such version, or
            a run moved the pointer at the same moment.
        """
        standing, generation = self.blessed()
        if standing is None:
            raise UserError(f"{self.model_name}: nothing is blessed yet, so nothing to roll back")
        if version is None and not standing.history:
            raise UserError(
                f"{self.model_name}: {standing.version} is the first version that was blessed; "
                "name the version to go to"
            )
        if version == standing.version:
            raise UserError(f"{version}: is the blessed version of {self.model_name} already")
        target = self.release(standing.history[-1] if version is None else version)
        self.read_model(target.version)
        # Going back forgets the version left, so that going back again goes further back.
        before = standing.history
        history = before[:-1] if version is None else (*before, standing.version)
        left = (standing.version,) if target.version in before else ()
        withdrawn = tuple(v for v in standing.withdrawn if v not in (target.version, *left))
        try:
            return self._move(
                target, standing, history, (*withdrawn, *left), run_id="", generation=generation
            )
        except LostRaceError as error:
            raise UserError(
                f"{self.model_name}: a run moved the blessed pointer at this moment; look at "
                "`litesmith models list` and try again"
            ) from error

    def _move(
        self,
        release: Release,
        standing: BlessedPointer | None,
        history: tuple[str, ...],
        withdrawn: tuple[str, ...],
        *,
        run_id: str,
        generation: int,
    ) -> BlessedPointer:
        pointer = BlessedPointer(
            model_name=self.model_name,
            version=release.version,
            model_sha256=release.model.sha256,
            candidate_id=release.candidate_id,
            blessed_at=datetime.now(UTC).isoformat(timespec="seconds"),
            run_id=run_id,
            counter=standing.counter + 1 if standing else 1,
            history=history,
            withdrawn=withdrawn,
        )
        data = pointer.to_json().encode() + b"\n"
        try:
            self._storage.write(self._pointer_name(), data, if_generation=generation)
        except PreconditionError as error:
            raise LostRaceError(self.model_name) from error
        return pointer

    def _create(self, name: str, data: bytes) -> bytes:
        """Writes an object if there is none; returns the bytes that stand."""
        try:
            self._storage.write(name, data, if_generation=ABSENT)
        except PreconditionError:
            return self._storage.read(name)
        return data

    def _ensure(self, name: str, data: bytes) -> None:
        """Writes an object unless these very bytes stand; others may write them just now."""
        while True:
            standing, generation = self._storage.read_with_generation(name)
            if generation != ABSENT and standing == data:
                return
            with contextlib.suppress(PreconditionError):
                self._storage.write(name, data, if_generation=generation)
                return

    def _pointer_name(self) -> str:
        return f"{self.model_name}/{BlessedPointer.file_name}"

    def _name(self, version: str, file_name: str) -> str:
        return f"{self.model_name}/versions/{version}/{file_name}"


def _pack(documents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(documents):
            archive.writestr(name, documents[name])
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
