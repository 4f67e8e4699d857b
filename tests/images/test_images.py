"""The images build from the locks and run stages, as another user than root."""

import json
from pathlib import Path

import pytest

from components.common.documents.dataset import DatasetManifest
from components.common.run_context import RunContext
from components.preprocess.config import PreprocessConfig
from components.validate.config import ValidateConfig
from tests.images.conftest import RUN, build_image, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

NOBODY = 65532


def _run_stage(image: str, work: Path, code: str) -> str:
    user = ("--env", "PYTHONWARNINGS=ignore", "--volume", f"{work}:/mnt/run")
    return run(*RUN, *user, image, "python3", "-c", code)


def test_beam_and_lite_images_run_their_stages(base_image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    context = RunContext(
        run_id="image",
        recipe_name="digits",
        data_root="/mnt/run/data",
        registry="/mnt/run/registry",
    ).to_json()
    config = PreprocessConfig(sample="digits", image_size=16, channels=1, encoding="png").to_json()
    preprocess = (
        "from pathlib import Path; from components.preprocess import stage; "
        f"stage.declare_stage().run(config={config!r}, context={context!r}, "
        "dataset=Path('/mnt/run/dataset'))"
    )
    _run_stage(build_image(base_image, "beam"), tmp_path, preprocess)
    manifest = DatasetManifest.read(tmp_path / "dataset")
    assert sum(split.examples for split in manifest.splits.values()) == manifest.records == 1797

    checks = ValidateConfig(model_name="digits").to_json()
    validate = (
        "from pathlib import Path; from components.validate import stage; "
        f"stage.STAGE.run(config={checks!r}, context={context!r}, "
        "dataset=Path('/mnt/run/dataset'), validation=Path('/mnt/run/validation'))"
    )
    lite = build_image(base_image, "lite")
    _run_stage(lite, tmp_path, validate)
    assert json.loads((tmp_path / "validation" / "validation.json").read_text())["findings"] == []

    record = json.loads((tmp_path / "data/runs/image/tasks/preprocess.json").read_text())["record"]
    assert record["image"] == "litesmith-beam:test"


@pytest.mark.parametrize(
    ("dependencies", "library", "absent"),
    [
        ("lite", "ai_edge_litert", "tensorflow"),
        ("train", "tensorflow_model_optimization", "apache_beam"),
        ("beam", "apache_beam", "tensorflow"),
    ],
)
def test_image_holds_its_dependency_set_and_no_root(
    base_image: str, dependencies: str, library: str, absent: str
) -> None:
    image = build_image(base_image, dependencies)
    code = (
        "import importlib.util, os, sys, pipeline.cli.main, kfp; "
        f"print(os.getuid(), importlib.util.find_spec({library!r}) is not None, "
        f"importlib.util.find_spec({absent!r}) is None)"
    )
    assert run(*RUN, image, "python3", "-c", code).split() == [str(NOBODY), "True", "True"]
    inspected = json.loads(run("podman", "image", "inspect", image))[0]
    assert inspected["Config"]["User"] == f"{NOBODY}:{NOBODY}"
    assert inspected["Labels"]["org.opencontainers.image.revision"] == "test"
