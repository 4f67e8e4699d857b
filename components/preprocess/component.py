"""The KFP contract of preprocess."""

from collections.abc import Callable
from pathlib import Path

from kfp import dsl

from components.common.documents.data_schema import DataSchema
from components.common.documents.inspection import SourceInspection


@dsl.component(base_image="litesmith-beam", install_kfp_package=False)
def preprocess(config: str, context: str, dataset: dsl.Output[dsl.Dataset]):
    """Turns labelled pictures into sharded TFRecords.

    Args:
      config: canonical JSON of PreprocessConfig.
      context: canonical JSON of RunContext.
      dataset: the dataset manifest; the shards themselves stay under the data root.
    """
    arguments = dict(locals())

    from components.common.shell.component import run_component
    from components.preprocess.stage import declare_stage

    run_component(declare_stage().run, arguments)


def survey(*, config: str, context: str, dataset: Path) -> None:
    """Looks at a source as preprocess does before it decodes a picture; no task of the DAG.

    Args:
      config: canonical JSON of PreprocessConfig.
      context: canonical JSON of RunContext.
      dataset: where the manifest goes, with counts and without shards.
    """
    from components.preprocess.survey import SURVEY

    SURVEY.run(config=config, context=context, dataset=dataset)


def inspect(
    *, config: str, html: Path | None, report: Callable[[int, int], None]
) -> SourceInspection:
    """Looks at a source before anything is made of it; no task of the DAG.

    Args:
      config: canonical JSON of PreprocessConfig.
      html: where a page with some examples of each class goes; None for none.
      report: called with the number of files read, and of all.
    """
    from components.preprocess.config import PreprocessConfig
    from components.preprocess.inspection import look_at, write_sheet

    look = look_at(PreprocessConfig.from_json(config), report=report)
    if html is not None:
        write_sheet(look, html)
    return look.inspection


def infer_schema(*, config: str, report: Callable[[int, int], None]) -> DataSchema:
    """Infers a schema from a source's examples; no task of the DAG.

    Args:
      config: canonical JSON of PreprocessConfig.
      report: called with the number of files read, and of all.
    """
    from components.preprocess.config import PreprocessConfig
    from components.preprocess.inference import infer_schema as infer

    return infer(PreprocessConfig.from_json(config), report=report)
