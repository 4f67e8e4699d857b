"""One trial of a search by the real stage, for pictures and texts."""

from pathlib import Path

from components.common.documents.ladder import Trial, Trials
from components.common.run_context import RunContext
from components.evaluate.config import EvaluateConfig
from components.quantize.config import QuantizeConfig
from components.rung import stage as rung


def try_variant(
    id_: str, models: Path, quantize: QuantizeConfig, *, context: RunContext, folder: Path
) -> Path:
    """Tries a variant of the models, on the folder's data set; returns where the trial lies."""
    output = folder / f"trial-{id_}"
    rung.run(
        dataset=folder / "dataset",
        models=models,
        variant_id=id_,
        quantize_config=quantize.to_json(),
        evaluate_config=EvaluateConfig(bootstrap_resamples=100).to_json(),
        context=context.to_json(),
        trial=output,
    )
    return output


def read_trial(path: Path) -> Trial:
    """Returns the only trial of a folder."""
    (found,) = Trials.read(path).trials
    return found
