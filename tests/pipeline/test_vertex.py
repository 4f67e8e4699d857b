"""What Vertex AI is asked for, told to a stand-in for Google's client."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.run_context import RunContext
from pipeline.recipe import load_recipe
from pipeline.target import VertexTarget, load_target
from pipeline.vertex import submit_to_vertex

EXAMPLE = Path(__file__).parents[2] / "docs" / "targets" / "vertex.yaml"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Returns what the client is given for a run: google-cloud-aiplatform is an extra."""
    told: dict[str, Any] = {}

    class PipelineJob:
        def __init__(self, *, template_path: str, **arguments: Any) -> None:
            told.update(arguments, dag=yaml.safe_load(Path(template_path).read_text()))

        def submit(self, **arguments: Any) -> None:
            told.update(arguments)

    module = types.ModuleType("google.cloud.aiplatform")
    module.PipelineJob = PipelineJob  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform", module)
    monkeypatch.setattr("google.cloud.aiplatform", module, raising=False)
    return told


def test_vertex_gets_the_account_the_place_and_a_name(asked: dict[str, Any]) -> None:
    target = load_target(str(EXAMPLE))
    assert isinstance(target, VertexTarget)
    recipe = load_recipe("digits")
    context = RunContext(
        run_id="r1", recipe_name="digits", data_root=target.data_root, registry=target.registry
    )
    submit_to_vertex(recipe, context, target)
    assert asked["service_account"] == target.service_account
    assert target.service_account == "litesmith-runner@example-project.iam.gserviceaccount.com"
    assert (asked["project"], asked["location"]) == ("example-project", "europe-west4")
    assert (asked["job_id"], asked["display_name"]) == ("litesmith-r1", "r1")
    assert asked["pipeline_root"] == "gs://example-litesmith/pipelines"
    assert asked["enable_caching"] is False, "KFP's key does not see the code"
    assert set(asked["parameter_values"]) == set(
        asked["dag"]["root"]["inputDefinitions"]["parameters"]
    )
