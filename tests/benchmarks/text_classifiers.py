"""Three ways of learning from the sample's tweets, paired on the same test tweets over seeds.

    python -m tests.benchmarks.text_classifiers results --seeds 5 --training 2000 --testing 1000

`tf-idf` is scikit-learn's logistic regression on words and pairs of words; `frozen` MiniLM with a
linear head on its features; `lora` the same with low-rank adapters in its attention, as the recipe
`tweets` trains them. Each seed deals out tweets anew. The validation split, a quarter of the
training split's size, chooses the strength of regularization, and the epoch.

What `results` holds already is not computed again, so a call that was interrupted goes on.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.data.predictions import read_bundle_predictions
from components.common.documents.models import Models
from components.common.documents.variant import DENSE
from components.common.run_context import RunContext
from components.common.statistics.metrics import predicted_classes
from components.common.statistics.noninferiority import drop_lower_bound, drop_upper_bound
from components.common.storage.local import LocalStorage
from components.common.words.markdown import markdown_table
from components.finetune import stage as finetune
from components.preprocess.samples import write_sample
from components.preprocess.stage import declare_stage
from pipeline.recipe import load_recipe

WAYS = {"frozen": ["train.lora=null"], "lora": list[str]()}
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)

Correct = Mapping[str, bool]
"""Of each test tweet, by its digest, whether the answer is right."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="a folder for data roots")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--training", type=int, default=2000, help="tweets a seed learns from")
    parser.add_argument("--testing", type=int, default=1000, help="tweets a seed is tested on")
    arguments = parser.parse_args()
    tweets = read_tweets(arguments.results)
    seeds = [
        try_seed(arguments.results / str(seed), deal(tweets, seed, arguments))
        for seed in range(arguments.seeds)
    ]
    print(markdown_table(HEADINGS, [[way, *tell(way, seeds)] for way in ("tf-idf", *WAYS)]))


def read_tweets(folder: Path) -> Sequence[Mapping[str, str]]:
    """Returns text and label of the sample's tweets, each text once."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / write_sample("tweets", LocalStorage(str(folder)))
    once = {row["text"]: row for row in map(json.loads, listed.open(encoding="utf-8"))}
    return list(once.values())


def deal(
    tweets: Sequence[Mapping[str, str]], seed: int, arguments: argparse.Namespace
) -> list[dict[str, str]]:
    """Returns the tweets of a seed, with their splits."""
    sizes = {
        "train": arguments.training,
        "validation": arguments.training // 4,
        "test": arguments.testing,
    }
    drawn = random.Random(seed).sample(tweets, sum(sizes.values()))
    splits = [split for split, size in sizes.items() for _ in range(size)]
    return [{**row, "split": split} for row, split in zip(drawn, splits, strict=True)]


def try_seed(folder: Path, rows: Sequence[Mapping[str, str]]) -> Mapping[str, Correct]:
    """Returns the answers of each way on the test tweets that preprocess kept."""
    folder.mkdir(exist_ok=True)
    listed = folder / "tweets.jsonl"
    listed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = {way: fine_tune(folder, listed, way) for way in WAYS}
    known = answers["lora"].keys()
    answers["tf-idf"] = {id_: is_right for id_, is_right in count_words(rows) if id_ in known}
    return answers


def fine_tune(folder: Path, listed: Path, way: str) -> Correct:
    cleared = ["data.sample=null", "data.max_examples=null", f"data.list={listed}"]
    recipe = load_recipe("tweets", [*cleared, *WAYS[way]])
    configs = recipe.stage_configs()
    context = RunContext(
        run_id="run",
        recipe_name=recipe.name,
        data_root=str(folder / "data"),
        registry=str(folder / "registry"),
    ).to_json()
    dataset, models = folder / "dataset", folder / way
    declare_stage().run(config=configs["preprocess"].to_json(), context=context, dataset=dataset)
    told = configs["finetune"].to_json()
    finetune.run(dataset=dataset, config=told, context=context, models=models)
    stored = Models.read(models).entry(DENSE).stored
    bundle = folder / "data" / "store" / stored.stage / stored.key / stored.output_digest
    test = read_bundle_predictions(bundle, "test")
    right = predicted_classes(test.probabilities) == test.labels
    return dict(zip(map(bytes.decode, test.ids.tolist()), right.tolist(), strict=True))


def count_words(rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, bool]]:
    """Yields digest and rightness of the test tweets, by the best strength on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parts = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    texts = {split: [row["text"] for row in part] for split, part in parts.items()}
    labels = {split: [row["label"] for row in part] for split, part in parts.items()}
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    features = {"train": words.fit_transform(texts["train"])}
    features |= {split: words.transform(texts[split]) for split in ("validation", "test")}
    models = [
        LogisticRegression(C=strength, max_iter=1000).fit(features["train"], labels["train"])
        for strength in STRENGTHS
    ]
    best = max(models, key=lambda model: model.score(features["validation"], labels["validation"]))
    for text, label, said in zip(
        texts["test"], labels["test"], best.predict(features["test"]), strict=True
    ):
        yield hashlib.sha256(text.encode()).hexdigest(), said == label


SPLITS = ("train", "validation", "test")
HEADINGS = ("", "accuracy", "by seed", "LoRA lost / won", "LoRA's gain, points (95 %)")


def tell(way: str, seeds: Sequence[Mapping[str, Correct]]) -> Iterator[str]:
    """Yields a row: accuracy over all seeds, of each, and what LoRA has beyond it."""
    own = [in_order(seed[way], seed) for seed in seeds]
    yield f"{np.concatenate(own).mean():.3f}"
    yield " ".join(f"{right.mean():.3f}" for right in own)
    if way == "lora":
        yield from ("", "")
        return
    lora = np.concatenate([in_order(seed["lora"], seed) for seed in seeds])
    right = np.concatenate(own)
    lost, won = int((right & ~lora).sum()), int((lora & ~right).sum())
    yield f"{lost} / {won}"
    low, high = (
        100 * bound(won, lost, examples=len(lora), alpha=0.025)
        for bound in (drop_lower_bound, drop_upper_bound)
    )
    yield f"{100 * (won - lost) / len(lora):.1f} ({low:.1f} to {high:.1f})"


def in_order(right: Correct, seed: Mapping[str, Correct]) -> npt.NDArray[np.bool_]:
    """Returns bool [n]: the answers that all ways gave, in one order."""
    shared = sorted(set.intersection(*(set(each) for each in seed.values())))
    return np.array([right[id_] for id_ in shared])


if __name__ == "__main__":
    main()
