"""What runs comes from where it can be checked: commits, digests and locks with hashes."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
ACTIONS = REPOSITORY / "docs" / "ci" / "github-actions.yml"
GITLAB = REPOSITORY / "docs" / "ci" / "gitlab-ci.yml"
DIGEST = re.compile(r"@sha256:([0-9a-f]{64}|DIGEST)$")


def texts() -> Iterator[Path]:
    """Yields every file that a user reads or that runs, but the tests and the locks."""
    for folder in ("pipeline", "components", "docs", "images", "manifests", ".ci"):
        found = REPOSITORY.joinpath(folder).rglob("*")
        yield from (path for path in found if path.is_file() and path.suffix != ".pyc")
    yield from (REPOSITORY / name for name in ("README.md", "Makefile"))


def test_nobody_is_told_to_install_from_an_index_what_is_on_none() -> None:
    from_index = re.compile(
        r"(?:pip|uv|pipx)[^\n`]* (?:install|add|run) [^\n`]*\blitesmith\b(?![-/])"
    )
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in texts()
        for match in from_index.finditer(path.read_text("utf-8", errors="ignore"))
    ]
    assert found == []
    for hint in ("pip install 'litesmith[local]'", "pip install litesmith", "uv add litesmith"):
        assert from_index.search(hint)


def test_every_pip_install_is_held_to_hashes() -> None:
    for path in texts():
        text = path.read_text("utf-8", errors="ignore").replace("\\\n", " ")
        for install in re.findall(r"pip install [^\n]*", text):
            own = "--no-deps" in install  # Of a wheel that was built beside it, or the checkout.
            assert own or "--require-hashes" in install, (path, install)


@pytest.mark.parametrize(
    "name", sorted({*re.findall(r"\w+\.lock", (REPOSITORY / "docs/install.md").read_text())})
)
def test_every_lock_that_is_named_is_there_with_hashes(name: str) -> None:
    text = (REPOSITORY / "requirements" / name).read_text()
    assert len(re.findall(r"^[\w.\[\],-]+==", text, re.MULTILINE)) <= text.count("--hash=sha256:")


def test_hints_name_locks_that_are_there() -> None:
    named = {
        lock
        for path in texts()
        for lock in re.findall(r"requirements/([\w-]+\.lock)", path.read_text(errors="ignore"))
    }
    assert named >= {"local.lock", "cluster.lock", "vertex.lock", "build.lock"}
    assert [lock for lock in named if not (REPOSITORY / "requirements" / lock).is_file()] == []


@pytest.mark.slow
def test_a_wheel_is_built_the_same_twice_and_taken_by_its_hash(tmp_path: Path) -> None:
    """As docs/install.md says."""
    wheels = [build_wheel(tmp_path / name) for name in ("one", "other")]
    digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    assert digests[0] == digests[1]
    for digest, code in ((digests[0], 0), ("0" * 64, 1)):
        (tmp_path / "wheel.txt").write_text(f"{wheels[0]} --hash=sha256:{digest}\n")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index"]
        command += ["--require-hashes", "--quiet", "-r", str(tmp_path / "wheel.txt")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert code == 0 or "DO NOT MATCH THE HASHES" in done.stderr


def build_wheel(folder: Path) -> Path:
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python"]
    command += [sys.executable, "--out-dir", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, env={**os.environ, "PYTHONPATH": ""})
    (wheel,) = folder.glob("*.whl")
    return wheel


# --- CI -------------------------------------------------------------------------------


def jobs() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(ACTIONS.read_text())["jobs"]
    return found


def test_every_action_is_a_commit_with_its_version_beside_it() -> None:
    used = re.findall(r"uses: (\S+)(.*)", ACTIONS.read_text())
    assert len(used) >= 6
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), (action, comment)


def test_only_the_job_that_trains_has_an_identity_and_no_pull_request_starts_it() -> None:
    workflow = yaml.safe_load(ACTIONS.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions", {}) for name, job in jobs().items()}
    assert rights == {"tiny": {}, "train": {"contents": "read", "id-token": "write"}}
    condition = "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'"
    assert jobs()["train"]["if"] == condition
    assert "pull_request_target" not in ACTIONS.read_text()
    pipeline = yaml.safe_load(GITLAB.read_text())
    with_identity = [name for name, job in pipeline.items() if "id_tokens" in job]
    assert with_identity == ["train"]
    assert pipeline["train"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [
        step
        for job in jobs().values()
        for step in job["steps"]
        if "checkout" in step.get("uses", "")
    ]
    assert len(checkouts) == 4
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_workflows_take_litesmith_from_a_commit() -> None:
    refs = [
        step["with"]["ref"] for step in jobs()["train"]["steps"] if "ref" in step.get("with", {})
    ]
    assert refs == ["${{ env.LITESMITH_COMMIT }}"]
    fetched = yaml.safe_load(GITLAB.read_text())[".litesmith"]["before_script"]
    assert any('checkout --quiet --detach "$LITESMITH_COMMIT"' in line for line in fetched)
    assert DIGEST.search(yaml.safe_load(GITLAB.read_text())[".litesmith"]["image"])


# --- images ---------------------------------------------------------------------------


def test_no_image_is_built_on_a_tag() -> None:
    """A base is named by whoever builds, by digest; what else is built on was built before."""
    text = (REPOSITORY / "images" / "Dockerfile").read_text()
    arguments = dict(
        re.findall(r"^ARG (\w+)(?:=(\S+))?$", text.partition("\nFROM ")[0], re.MULTILINE)
    )
    assert arguments == {"BASE": "", "BEAM_SDK": "scratch"}
    stages = set()
    for base, stage in re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE):
        assert base in stages or base.strip("${}") in arguments
        stages.add(stage)
    assert not text.startswith("# syntax=")
    bake = (REPOSITORY / "images" / "bake.hcl").read_text()
    for argument in arguments:
        (block,) = re.findall(rf'variable "{argument}" {{\n(.*?)\n}}', bake, re.DOTALL)
        assert f'can(regex("@sha256:[0-9a-f]{{64}}$", {argument}))' in block
