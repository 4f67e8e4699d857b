"""A level of a rung as a variant: its id, its steps and its candidates."""

from components.common.documents.ladder import Proposal
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.propose.config import ProposeConfig, SearchSettings
from components.propose.rungs import Rung


def brief_epochs(search: SearchSettings) -> int | None:
    """Returns how long a brief training is; None where a whole one is as short."""
    epochs = max(1, search.epochs // 3)
    return epochs if epochs < search.epochs else None


def propose_variant(
    config: ProposeConfig, rung: Rung, level: float, *, parent: str = DENSE, brief: bool = False
) -> Proposal:
    """Returns what a rung makes of a parent at a level."""
    search = config.searching
    label = f"{rung.label(level)}-brief" if brief else rung.label(level)
    id_ = label if parent == DENSE else f"{parent}-{label}"
    epochs = ((brief_epochs(search) or search.epochs) if brief else search.epochs) * rung.trains
    told = {
        **config.steps[rung.kind],
        **rung.settings(level, config.steps[rung.kind]),
        **({"epochs": epochs, "seed": search.seed} if rung.trains else {}),
    }
    return Proposal(
        variant=Variant(id=id_, parent=parent, steps=(StepSpec(kind=rung.kind, settings=told),)),
        rung=rung.kind,
        level=level,
        brief=brief,
        epochs=epochs,
        candidates=tuple(
            spec.model_copy(update={"id": f"{id_}-{spec.id}", "variant": id_})
            for spec in config.compressed
        ),
    )
