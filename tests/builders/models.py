"""A run's models as a document, made up without training any."""

from collections.abc import Mapping

from components.common.documents.bundle import Architecture, LayerSparsity, ModelBundle, StepFacts
from components.common.documents.image import InputSpec
from components.common.documents.models import ModelEntry, Models
from components.common.documents.record import StoredOutput
from components.common.documents.variant import DENSE
from tests.builders.synthetic import CLASS_NAMES, LINEAGE


def pruning(sparsity: tuple[LayerSparsity, ...] = ()) -> StepFacts:
    return StepFacts(
        kind="prune",
        activity="pruning",
        title="prune 50 %",
        sparsity=sparsity,
        target_sparsity=0.5,
    )


def describe_bundle(*steps: StepFacts) -> ModelBundle:
    return ModelBundle(
        class_names=CLASS_NAMES,
        architecture=Architecture(backbone="small_cnn"),
        input=InputSpec(height=16, width=16, channels=1, offset=(0.0,), scale=(1 / 255,)),
        parameters=98_765,
        history=(),
        best_epoch=1,
        steps=steps,
        lineage=LINEAGE,
    )


def make_models(
    bundles: Mapping[str, ModelBundle], parents: Mapping[str, str] | None = None
) -> Models:
    """Returns a document of models that lie in no store.

    Args:
      bundles: by their variants' ids, each after its parent's.
      parents: of those that are not made from the root.
    """
    return Models(
        entries=tuple(
            ModelEntry(
                id=id_,
                parent=None if id_ == DENSE else (parents or {}).get(id_, DENSE),
                stored=StoredOutput(stage="compress", key=id_, output_digest=id_),
                bundle=bundle,
            )
            for id_, bundle in bundles.items()
        )
    )


MODELS = make_models({DENSE: describe_bundle(), "pruned": describe_bundle(pruning())})
"""The trained model, and one that was pruned."""
