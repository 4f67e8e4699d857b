"""The model registry: immutable versions, and one pointer to the blessed one.

    <model>/blessed.json                   the pointer
    <model>/versions/<version>/release.json  names every other file and its SHA-256; written last
                               model.tflite, labels.txt, README.md, decision.json, ...

A version is named by the digest of its release.json, which names the digests of all its files:
so the name settles every byte. Whatever else lies in a version's folder is none of it, and is
not looked at; a file that is not the one that is named is damaged, whoever wrote it. Nobody can
take a version's place before it is published, and two publishers of one version write the same
bytes.

The pointer moves by compare-and-swap alone: a mover states the generation that its
decision was made against, and loses if somebody moved it since.

    mover    reads pointer and generation ... decides ... writes on condition of the generation
    another                     moves the pointer  ^ so this write is refused

Whoever wins may assume that the model it was compared with was the blessed one until that
moment. Whoever loses may assume nothing of the pointer any more, and must decide anew: the
gate does so in another run, `models rollback` asks its user to look again. A reader may assume
that the version is whole, for the pointer is written after all of it.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from components.common.documents.base import Document
from components.common.documents.release import BlessedPointer, Release
from components.common.errors import DamagedError, UserError, pass_over
from components.common.storage import ABSENT, SMALL_BYTES, PreconditionError, Storage

MODEL_FILE = "model.tflite"
_VERSION = re.compile(f"[0-9a-f]{{{Release.VERSION_DIGITS}}}")


class LostRaceError(Exception):
    """The pointer moved since the decision to move it was made."""


def model_names(storage: Storage) -> tuple[str, ...]:
    """Returns the names of the models that a registry holds."""
    parts = (blob.name.split("/") for blob in storage.list(""))
    return tuple(
        sorted(
            {part[0] for part in parts if part[1:2] in (["versions"], [BlessedPointer.file_name])}
        )
    )


class Registry:
    """The versions of one model, and which of them is blessed."""

    def __init__(self, storage: Storage, model_name: str) -> None:
        self._storage = storage
        self.model_name = model_name

    def blessed(self) -> tuple[BlessedPointer | None, int]:
        """Returns the pointer and its generation; (None, ABSENT) where nothing is blessed."""
        name = self._pointer_name()
        data, generation = self._storage.read_with_generation(name)
        if generation == ABSENT:
            return None, ABSENT
        return BlessedPointer.parse(data, name=self._storage.uri(name)), generation

    def releases(self) -> tuple[Release, ...]:
        """Returns all complete versions, the oldest first; damaged ones are passed over."""
        return tuple(sorted(self._whole(), key=lambda found: (found.created, found.version)))

    def release(self, version: str) -> Release:
        """Returns a version's release.

        Args:
          version: its name, or how that begins.

        Raises:
          DamagedError: what lies there is not what the version's name names.
          UserError: there is no such version, or it is not complete, or several begin so.
        """
        if _VERSION.fullmatch(version):
            with contextlib.suppress(FileNotFoundError):
                return self._read_release(version)
        releases = self.releases()
        found = [each for each in releases if version and each.version.startswith(version)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(each.version for each in (found or releases)) or "none yet"
        what = "several such versions" if found else "no such version"
        raise UserError(
            f"{version}: the model {self.model_name} has {what} in {self._storage.root} "
            f"(versions: {known})"
        )

    def read(self, version: str, file_name: str, *, max_bytes: int = SMALL_BYTES) -> bytes:
        """Returns a file of a version.

        Raises:
          FileNotFoundError: the version has no such file.
          DamagedError: the file is not the one that the version's name names.
          UserError: there is no such version.
        """
        release = self.release(version)
        if file_name not in release.files:
            raise FileNotFoundError(file_name)
        data = self._storage.read(self._name(version, file_name), max_bytes=max_bytes)
        if hashlib.sha256(data).hexdigest() != release.files[file_name]:
            raise DamagedError(
                f"{self.uri(version, file_name)}: is not what was published; restore it, or "
                "bless another version with `litesmith models rollback VERSION`"
            )
        return data

    def read_model(self, version: str) -> bytes:
        """Returns a version's `.tflite` file.

        Raises:
          UserError: the version is unknown, or its file is missing or damaged.
        """
        size_bytes = self.release(version).model.size_bytes
        try:
            return self.read(version, MODEL_FILE, max_bytes=size_bytes)
        except (FileNotFoundError, DamagedError) as error:
            raise DamagedError(
                f"{self.uri(version, MODEL_FILE)}: is missing or damaged; restore it, or bless "
                "another version with `litesmith models rollback VERSION`"
            ) from error

    def uri(self, version: str, file_name: str = "") -> str:
        folder = f"{self.model_name}/versions/{version}"
        return self._storage.uri(f"{folder}/{file_name}" if file_name else folder)

    def publish(self, release: Release, model: bytes, documents: Mapping[str, bytes]) -> Release:
        """Puts a version into the registry; what stands in its way is replaced.

        Args:
          release: describes the version, but for its files.
          model: the `.tflite` file.
          documents: the version's other files, by name.

        Returns:
          The release with its files, which name the version.

        Raises:
          ValueError: the file is not the one that the release describes.
        """
        if hashlib.sha256(model).hexdigest() != release.model.sha256:
            raise ValueError(f"{release.model_name}: the model is not the one that was measured")
        files = {**documents, MODEL_FILE: model}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        whole = release.model_copy(update={"files": digests})
        for file_name, data in files.items():
            self._ensure(self._name(whole.version, file_name), data)
        # Last: without it there is no version, so a killed publisher leaves none half-made.
        self._ensure(self._name(whole.version, Release.file_name), _encode(whole))
        return whole

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
        # This look is for the history; the condition of the write closes the gap after it.
        if seen != generation:
            raise LostRaceError(self.model_name)
        history = (*standing.history, standing.version) if standing else ()
        withdrawn = standing.withdrawn if standing else {}
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
        target = self.release(standing.history[-1] if version is None else version)
        if target.version == standing.version:
            raise UserError(f"{version}: is the blessed version of {self.model_name} already")
        # Before the pointer moves: to go back to a damaged model helps nobody.
        self.read_model(target.version)
        # Going back forgets the version left, so that going back again goes further back.
        before = standing.history
        history = before[:-1] if version is None else (*before, standing.version)
        withdrawn = dict(standing.withdrawn)
        if target.version in before:
            withdrawn[standing.model_sha256] = standing.version
        withdrawn.pop(target.model.sha256, None)
        try:
            return self._move(
                target, standing, history, withdrawn, run_id="", generation=generation
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
        withdrawn: Mapping[str, str],
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
        try:
            self._storage.write(self._pointer_name(), _encode(pointer), if_generation=generation)
        except PreconditionError as error:
            raise LostRaceError(self.model_name) from error
        return pointer

    def _whole(self) -> Iterator[Release]:
        for blob in self._storage.list(f"{self.model_name}/versions/"):
            _, _, version, *rest = blob.name.split("/")
            if rest == [Release.file_name]:
                try:
                    yield self._read_release(version)
                except DamagedError as error:
                    pass_over(error)

    def _read_release(self, version: str) -> Release:
        name = self._name(version, Release.file_name)
        uri = self._storage.uri(name)
        release = Release.parse(self._storage.read(name), name=uri)
        if (release.model_name, release.version) != (self.model_name, version):
            raise DamagedError(
                f"{uri}: is not the release that the version {version} names; restore it, or "
                "delete the version's folder"
            )
        return release

    def _ensure(self, name: str, data: bytes) -> None:
        """Writes an object unless these very bytes stand; others may write them just now."""
        while True:
            try:
                standing, generation = self._storage.read_with_generation(name, max_bytes=len(data))
            except DamagedError:  # It holds more, so it is a stranger's.
                self._storage.delete(name)
                continue
            if generation != ABSENT and standing == data:
                return
            with contextlib.suppress(PreconditionError):
                self._storage.write(name, data, if_generation=generation)
                return

    def _pointer_name(self) -> str:
        return f"{self.model_name}/{BlessedPointer.file_name}"

    def _name(self, version: str, file_name: str) -> str:
        return f"{self.model_name}/versions/{version}/{file_name}"


def _encode(document: Document) -> bytes:
    return document.to_json().encode() + b"\n"
