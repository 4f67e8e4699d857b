"""Manifests made to pass or to fail a check, and the checks made of them."""

from components.common.data.membership import Membership
from components.common.documents.dataset import SPLITS, DatasetManifest, SplitExamples, Trait
from components.common.documents.image import ImageSpec, PixelStatistics
from components.common.documents.near_copies import NO_NEAR_COPIES
from components.common.documents.oddities import NO_ODDITIES
from components.validate.checks import check_dataset
from components.validate.config import ValidateConfig
from tests.builders.synthetic import LINEAGE


def manifest(
    train=(70, 70, 70),
    validation=(15, 15, 15),
    test=(15, 15, 15),
    *,
    classes=("bar", "cross", "disc"),
    brightness=(150, 150),
) -> DatasetManifest:
    counts = dict(zip(SPLITS, (train, validation, test), strict=True))
    return DatasetManifest(
        class_names=classes,
        spec=ImageSpec(
            height=8, width=8, channels=1, encoding="png", fit="crop", background="#ffffff"
        ),
        compression="none",
        splits={
            split: SplitExamples(examples=sum(own), shards=(), examples_per_class=own)
            for split, own in counts.items()
        },
        source_fingerprint="synthetic",
        statistics=PixelStatistics(mean=(127.5,), std=(70.0,), histogram=tuple([1 / 32] * 32)),
        traits=(brightness_trait(dict.fromkeys(SPLITS, brightness)),),
        rejects={},
        records=sum(map(sum, counts.values())),
        slices=(),
        lineage=LINEAGE,
    )


def brightness_trait(examples) -> Trait:
    """Returns a trait of two bins, darker and lighter than 128."""
    return Trait(name="brightness", edges=(128.0,), examples=examples)


def membership_of(ids, groups=None):
    rows = [(id_, (groups or {}).get(id_, ""), split) for split, own in ids.items() for id_ in own]
    return Membership.of(rows)


def check(
    found: DatasetManifest,
    *,
    blessed=None,
    ids=None,
    pairs=NO_NEAR_COPIES,
    oddities=NO_ODDITIES,
    **values,
):
    ids = ids or {"train": ["a"], "validation": ["b"], "test": ["c"]}
    return check_dataset(
        found,
        ValidateConfig(**values),
        membership=membership_of(ids),
        blessed=blessed,
        read_ids=ids.__getitem__,
        near_copies=pairs,
        oddities=oddities,
    )
