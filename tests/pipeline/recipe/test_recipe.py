"""Recipes: what is read, what is refused, and in which words."""

import json
import re
import typing
from pathlib import Path

import pytest

from components.common.errors import UserError
from components.gate.case import Case
from components.gate.trials import try_accuracy
from components.preprocess.kinds import AnySource
from components.validate.config import ValidateConfig
from pipeline.declarations.yaml_files import parse_yaml
from pipeline.recipe import SHIPPED, Recipe, load_recipe, recipe_schema, shipped_recipes
from pipeline.recipe.new import copy_recipe, next_command
from pipeline.recipe.sufficiency import check_sufficiency
from pipeline.recipe.text import write_commented
from tests.builders.models import MODELS
from tests.components.gate.cases import baseline_correct, bless, make_entrant, make_split

MINIMAL = "name: mine\ndata: {sample: digits, image_size: 16, channels: 1}\n"
TRAIN = "train: {backbone: small_cnn}\n"


def write(folder: Path, text: str) -> str:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two classes of ten files each."""
    for name in ("cat", "dog"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(10):
            (folder / f"{number}.png").write_bytes(b"png")
    return tmp_path / "pictures"


# --- what is read -------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipe_is_valid_and_survives_its_own_yaml(name: str, pictures: Path) -> None:
    overrides = [] if name == "digits" else [f"data.folder={pictures}"]
    recipe = load_recipe(name, overrides)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert load_recipe(name, tiny=True) != recipe


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_that_leaves_its_source_open_can_be_looked_at_but_not_run(name: str) -> None:
    recipe = load_recipe(name, locations="open")
    assert parse_yaml(write_commented(recipe))["name"] == name
    for asked in ("here", "elsewhere"):
        if recipe.data.has_source():
            assert load_recipe(name, locations=asked) == recipe
            continue
        with pytest.raises(UserError, match="exactly one of folder, list, sample"):
            load_recipe(name, locations=asked)


def test_of_two_sources_given_for_one_run_neither_is_dropped_silently(tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("path,label\n")
    both = [f"data.folder={tmp_path}", f"data.list={listed}"]
    for overrides in (both, both[::-1]):
        with pytest.raises(UserError) as refused:
            load_recipe("folder", overrides)
        assert f"--set data.list={listed}: give one of them" in str(refused.value)
    # The last word on one key, and a source in the place of the recipe's own, stand.
    assert load_recipe("digits", [both[0], "data.folder=null", both[1]]).data.folder is None


@pytest.mark.parametrize("source", shipped_recipes())
def test_a_copy_is_the_shipped_recipe_with_its_comments_under_another_name(
    source: str, tmp_path: Path
) -> None:
    path = copy_recipe("flowers", source=source, folder=tmp_path)
    copy, shipped = (load_recipe(one, locations="open") for one in (str(path), source))
    assert copy == shipped.model_copy(update={"name": "flowers"})
    lines = [(SHIPPED / f"{source}.yaml").read_text().count("#"), path.read_text().count("#")]
    assert lines[0] == lines[1] > 3
    assert f"litesmith run {source}" not in path.read_text()
    assert next_command(path).startswith("litesmith run flowers.yaml")
    with pytest.raises(UserError, match=r"flowers.yaml: is there already"):
        copy_recipe("flowers", source=source, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("../flowers", "folder", "small letters"),
        ("Flowers", "folder", "small letters"),
        ("flowers", "flowrs", "shipped: digits, emoji, fashion, folder, tweets, vgg16"),
        ("flowers", "../recipes/folder", "shipped: digits"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_and_leaves_nothing(
    name: str, source: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        copy_recipe(name, source=source, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_commented_recipe_is_the_same_recipe(name: str, pictures: Path) -> None:
    recipe = load_recipe(name, [] if name == "digits" else [f"data.folder={pictures}"])
    text = write_commented(recipe)
    assert parse_yaml(text) == parse_yaml(recipe.to_yaml())
    assert max(map(len, text.splitlines())) <= 100


def test_what_a_value_means_stands_above_it() -> None:
    lines = write_commented(load_recipe("digits")).splitlines()
    above = lines[lines.index("  class_weights: none") - 1]
    assert above == "  # One of none, balanced."
    above = lines[lines.index("    shift: 0.08") - 1]
    assert above == "    # Largest translation, as a share of the width."


def test_digits_can_prove_its_margin_of_two_points() -> None:
    recipe = load_recipe("digits")
    assert recipe.budgets.accuracy_drop == 0.02
    assert recipe.required_test_examples() <= 450 <= 1797 * recipe.data.splits.test
    assert set(recipe.candidate_ids()) >= {"float32", "float16", "dynamic_range", "int8"}


def test_vgg16_is_the_classic_recipe(pictures: Path) -> None:
    recipe = load_recipe("vgg16", [f"data.folder={pictures}"])
    train = recipe.train
    assert (train.backbone, train.weights, train.epochs) == ("vgg16", "imagenet", 10)
    assert (train.optimizer.name, train.optimizer.learning_rate) == ("adam", 1e-4)
    assert (train.optimizer.weight_decay, train.global_batch_size) == (1e-4, 32)
    assert (train.augment.flip, train.augment.zoom, train.unfreeze) == (True, 0.2, None)
    assert recipe.data.splits.validation == 0.2


def test_pruning_learns_as_training_does_where_it_states_nothing_else() -> None:
    learned = ["train.label_smoothing=0.1", "train.class_weights=balanced"]
    recipe = load_recipe("digits", [*learned, "prune.global_batch_size=64"])
    assert recipe.prune is not None
    assert recipe.prune.augment == recipe.train.augment
    assert (recipe.prune.label_smoothing, recipe.prune.class_weights) == (0.1, "balanced")
    assert (recipe.prune.global_batch_size, recipe.train.global_batch_size) == (64, 32)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    with pytest.raises(UserError) as refusal:
        load_recipe("digits", ["train.label_smoothing=7"])
    assert "train.label_smoothing" in str(refusal.value)
    assert "prune" not in str(refusal.value)


def test_override_reads_numbers_as_they_are_written(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + TRAIN)
    recipe = load_recipe(
        path,
        ["train.optimizer.learning_rate=3e-4", "train.mixed_precision=off", "prune={epochs: 2}"],
    )
    assert recipe.train.optimizer.learning_rate == 3e-4
    assert recipe.train.mixed_precision == "off"
    assert recipe.prune is not None and recipe.prune.epochs == 2


def test_override_takes_a_section_away() -> None:
    assert load_recipe("digits", ["prune=null"]).candidate_ids() == (
        "float32",
        "float16",
        "dynamic_range",
        "int8",
    )


def test_override_comes_after_the_tiny_variant() -> None:
    assert load_recipe("digits", ["train.epochs=7"], tiny=True).train.epochs == 7


def test_paths_in_a_recipe_are_relative_to_its_file_and_in_an_override_to_the_working_folder(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "photos").mkdir(parents=True)
    (elsewhere / "weights.h5").touch()
    monkeypatch.chdir(elsewhere)
    text = "name: mine\ndata: {folder: pictures}\ntrain: {backbone: vgg16}\n"
    path = write(tmp_path, text)
    assert load_recipe(path).data.folder == str(pictures)
    changed = load_recipe(path, ["data.folder=photos", "train.weights=weights.h5"])
    assert changed.data.folder == str(elsewhere / "photos")
    assert changed.train.weights == str(elsewhere / "weights.h5")
    assert load_recipe(path, ["data={folder: photos}"]).data.folder == str(elsewhere / "photos")


@pytest.mark.parametrize(
    ("backbone", "weights", "reason"),
    [
        ("mobilenet_v2", "model.ckpt.index", "an HDF5 file (.h5 and .hdf5)"),
        ("mobilenet_v2", "saved_model", "TensorFlow checkpoint"),
        (
            "mobilenet_v2",
            "weights.pth",
            "for efficientnet_lite0, efficientnet_lite1 and efficientnet_lite2 alone",
        ),
    ],
)
def test_weights_that_are_not_read_are_refused_by_their_name(
    tmp_path: Path, backbone: str, weights: str, reason: str
) -> None:
    (tmp_path / weights).write_text("weights")
    data = "name: mine\ndata: {sample: digits, image_size: 32}\n"
    text = f"{data}train: {{backbone: {backbone}, weights: {weights}}}\n"
    with pytest.raises(UserError, match=re.escape(reason)):
        load_recipe(write(tmp_path, text))


def test_validate_is_told_what_budgets_and_training_ask_of_the_data(tmp_path: Path) -> None:
    def told(text: str) -> ValidateConfig:
        recipe = load_recipe(write(tmp_path, MINIMAL + text))
        config = recipe.stage_configs()["validate"]
        assert isinstance(config, ValidateConfig)
        return config

    plain = told(TRAIN)
    assert (plain.min_other_test_examples, plain.min_test_examples_per_class) == (0, 1)
    assert (plain.balanced, plain.mirrored) == (False, False)
    budgets = "quantize: {schemes: [float32]}\nbudgets: {accuracy_drop: 0.1, min_class_recall: 0.8}"
    config = told(f"{TRAIN}{budgets}")
    # 0.5 to the power of 5, and 0.8 to that of 14, are the first to lie below 0.05.
    assert (config.min_other_test_examples, config.min_test_examples_per_class) == (5, 14)
    trained = "train: {backbone: small_cnn, class_weights: balanced, augment: {flip: true}}\n"
    config = told(trained)
    assert (config.balanced, config.mirrored) == (True, True)
    assert told(f"{TRAIN}prune: {{augment: {{flip: true}}}}").mirrored


def test_words_and_addresses_are_no_paths(pictures: Path) -> None:
    base = [f"data.folder={pictures}"]
    assert load_recipe("vgg16", base).train.weights == "imagenet"
    remote = load_recipe("vgg16", [*base, "train.weights=gs://bucket/weights.h5"])
    assert remote.train.weights == "gs://bucket/weights.h5"


def test_another_source_takes_the_place_of_the_one_before(pictures: Path) -> None:
    data = load_recipe("digits", [f"data.folder={pictures}"]).data
    assert (data.folder, data.sample) == (str(pictures), None)


def test_schema_describes_every_section() -> None:
    schema = recipe_schema()
    values = parse_yaml((SHIPPED / "digits.yaml").read_text())
    assert set(values) <= set(schema["$defs"]["PictureRecipe"]["properties"])
    assert "sparsity" in json.dumps(schema)


def test_locations_bear_no_identity(pictures: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    pictures.rename(moved)
    pictures.mkdir()
    here = load_recipe("folder", [f"data.folder={pictures}"]).stage_configs()
    there = load_recipe("folder", [f"data.folder={moved}"]).stage_configs()
    assert [here[name].identity() for name in here if name != "report"] == [
        there[name].identity() for name in there if name != "report"
    ]


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trian.epochs=3", ["trian", "did you mean train?"]),
        ("train.optimizer.learning_rat=1", ["train.optimizer.learning_rat", "learning_rate?"]),
        ("prune.zeros=0.5", ["prune.zeros", "there are", "final_sparsity"]),
        ("train.epochs=three", ["train.epochs", "integer", "three"]),
        ("train.epochs=2.5", ["train.epochs", "integer", "2.5"]),
        ("prune.final_sparsity=1.5", ["prune.final_sparsity", "less than 1", "1.5"]),
        ("train.optimizer.name=adma", ["train.optimizer.name", "adam", "sgd", "adma"]),
        ("quantize.schemes=[float32, int5]", ["quantize.schemes.1", "int8", "int5"]),
        ("quantize.calibration_examples=0", ["calibration_examples", "10", "0"]),
        ("data.image_size=9", ["data.image_size", "9", "mobilenet_v2", "32"]),
        ("data.channels=1", ["data.channels", "1", "mobilenet_v2", "3"]),
        ("data.splits.test=0.9", ["data.splits", "sum to 1", "1.75"]),
        (
            "train={backbone: mobilenet_v2, weights: nowhere.h5, unfreeze: {epochs: 1}}",
            ["train.weights", "nowhere.h5", "no file"],
        ),
        ("data.folder=nowhere", ["data.folder", "nowhere", "no folder"]),
        ("data.folder=''", ["data.folder", "no folder"]),
        ("data.sample=null", ["data", "exactly one of folder, list, sample"]),
        ("train.unfreeze={epochs: 2}", ["train.unfreeze", "pretrained weights"]),
        ("train.dropout=.inf", ["infinite"]),
        ("train.augment.flip='yes'", ["train.augment.flip", "true or false", "yes"]),
        ("train.optimizer.learning_rate='0.1'", ["learning_rate", "number", "0.1"]),
        ("data.splits.test='0.2'", ["data.splits.test", "number", "0.2"]),
        ("train.unfreeze={epochs: true}", ["train.unfreeze.epochs", "integer", "true"]),
        ("prune.optimizer={rate: 1}", ["prune.optimizer.rate", "no such key", "learning_rate"]),
        ("train=3", ["train: must be a mapping of keys to values (got 3)"]),
        ("name=Mine!", ["name", "pattern", "Mine!"]),
        ("prune.begin=0.9", ["prune", "begin 0.9", "end 0.5"]),
        ("train.epochs", ["--set train.epochs", "section.key=value"]),
        (".epochs=3", ["--set .epochs=3", "section.key=value"]),
        ("train.epochs=[1", ["--set train.epochs=[1", "YAML"]),
    ],
)
def test_refusal_names_the_key_the_value_and_what_is_allowed(
    override: str, words: list[str], tmp_path: Path
) -> None:
    text = (
        "name: mine\ndata: {sample: digits, image_size: 96}\n"
        "train: {backbone: mobilenet_v2}\nprune: {epochs: 1}\n"
    )
    with pytest.raises(UserError) as refused:
        load_recipe(write(tmp_path, text), [override])
    for word in words:
        assert word in str(refused.value)


def test_all_refused_values_are_named_at_once(tmp_path: Path) -> None:
    text = MINIMAL + "train: {backbone: small_cnn, epochs: 0, dropout: 2}\nfoo: 1\n"
    with pytest.raises(UserError) as refused:
        load_recipe(write(tmp_path, text))
    for key in ("train.epochs", "train.dropout", "foo"):
        assert f"  {key}: " in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mine\ndata: {folder: [}\n", "line 2, column 17"),
        ("name: mine\nname: yours\n", "line 2, column 1: name was given on line 1 already"),
        ("a: {b: 1, b: 2}", "b was given on line 1 already"),
        ("- name", "expected a mapping of sections"),
        ("", "expected a mapping of sections"),
        ("1: 2", "the key 1 is no name"),
        ("a: !!python/object/apply:os.getcwd []", "line 1, column 4"),
    ],
)
def test_bad_yaml_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(message)) as refused:
        load_recipe(path)
    assert str(refused.value).startswith(path)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        load_recipe(str(path))


def test_unknown_recipe_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(UserError, match=r"digts.*digits.*folder.*vgg16"):
        load_recipe("digts")


def test_what_the_recipe_fills_in_is_no_users_to_state() -> None:
    schema = recipe_schema()
    for key in ("validate.model_name", "budgets.balanced", "report.recipe"):
        with pytest.raises(UserError, match=f"{key}: is filled in"):
            load_recipe("digits", [f"{key}=x"])
        section, name = key.split(".")
        sections = schema["$defs"]["PictureRecipe"]["properties"]
        reference = sections[section]["$ref"].rpartition("/")[2]
        assert name not in schema["$defs"][reference]["properties"]
        assert name not in (parse_yaml(load_recipe("digits").to_yaml())[section] or {})


def test_a_folder_in_a_recipes_place_is_told_from_one(pictures: Path) -> None:
    with pytest.raises(UserError, match=f"litesmith run folder --set data.folder={pictures}"):
        load_recipe(str(pictures))


def test_a_refusal_names_the_overrides_that_may_be_at_fault() -> None:
    with pytest.raises(UserError) as refused:
        load_recipe("digits", ["train.epochs=", "prune.epochs=2"])
    first = "digits --set train.epochs= --set prune.epochs=2: the recipe is refused"
    assert str(refused.value).splitlines()[0] == first


def test_recipe_without_a_tiny_variant_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tiny variant"):
        load_recipe(write(tmp_path, MINIMAL + TRAIN), tiny=True)


# --- budgets that the data can't prove ----------------------------------------------


def test_too_few_pictures_for_the_budget_are_refused_with_the_number_needed(
    pictures: Path,
) -> None:
    recipe = load_recipe("folder", [f"data.folder={pictures}"])
    with pytest.raises(UserError) as refused:
        check_sufficiency(recipe)
    message = str(refused.value)
    for word in ("0.03", str(recipe.required_test_examples()), "20 records", "data.splits.test"):
        assert word in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "path,label\n1.png,a\n2.png,b\n"),
        ("l.jsonl", '{"path": "1.png", "label": "a"}\n{"path": "2.png", "label": "b"}\n'),
    ],
)
def test_a_header_is_no_record(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="holds 2 records"):
        check_sufficiency(load_recipe("folder", [f"data.list={tmp_path / name}"]))


@pytest.mark.parametrize("blessed_drop", [None, 0.02, 0.2])
def test_the_number_needed_is_what_the_gate_asks_for_with_a_blessed_model(
    blessed_drop: float | None,
) -> None:
    overrides = ["budgets.accuracy_drop=0.05"]
    if blessed_drop is not None:
        overrides.append(f"budgets.blessed_accuracy_drop={blessed_drop}")
    recipe = load_recipe("digits", overrides)
    needed = recipe.required_test_examples()
    asked = [_asked(recipe, examples) for examples in (needed - 1, needed)]
    assert asked == [needed, needed]


def _asked(recipe: Recipe, examples: int) -> int | None:
    """Returns the number that the gate states where something else is blessed."""
    right = baseline_correct(examples)
    entrants = [make_entrant(id_, right) for id_ in recipe.candidate_ids()]
    case = Case(
        entrants=entrants,
        models=MODELS,
        split=make_split(examples),
        budgets=recipe.budgets,
        blessed=bless(make_entrant("int8", right, content="of before"), right),
    )
    return try_accuracy(case, entrants).required


def test_litter_and_what_is_excluded_are_no_pictures(pictures: Path) -> None:
    for folder in ("@eaDir", "lost+found", "raw"):
        (pictures / folder).mkdir()
        for index in range(2000):
            (pictures / folder / f"{index}.png").touch()
    recipe = load_recipe("folder", [f"data.folder={pictures}", "data.exclude=[raw]"])
    with pytest.raises(UserError, match="20 records"):
        check_sufficiency(recipe)
    check_sufficiency(load_recipe("folder", [f"data.folder={pictures}"]))


def test_folders_that_state_splits_are_left_to_validate(pictures: Path) -> None:
    for split in ("train", "test"):
        (pictures / split / "cat").mkdir(parents=True)
    check_sufficiency(load_recipe("folder", [f"data.folder={pictures}"]))


@pytest.mark.parametrize("folder", [".", "cat"])
def test_pictures_of_no_class_or_of_one_are_left_to_preprocess(tmp_path: Path, folder: str) -> None:
    (tmp_path / "cat").mkdir()
    for index in range(20):
        (tmp_path / "cat" / f"{index}.png").touch()
    check_sufficiency(load_recipe("folder", [f"data.folder={tmp_path / folder}"]))


def test_a_test_example_of_each_small_class_is_counted_on(tmp_path: Path) -> None:
    for index in range(180):  # One of three of each is sure to come into the test split.
        (tmp_path / f"class{index}").mkdir()
        for number in range(3):
            (tmp_path / f"class{index}" / f"{number}.png").touch()
    overrides = [f"data.folder={tmp_path}", "data.splits={train: 0.8, validation: 0.1, test: 0.1}"]
    recipe = load_recipe("folder", overrides)
    assert 100 < recipe.required_test_examples() <= 180
    check_sufficiency(recipe)


def test_too_short_a_list_is_refused_but_not_one_that_assigns_splits(tmp_path: Path) -> None:
    csv = tmp_path / "list.csv"
    csv.write_text("path,label\n" + "a.png,a\n" * 50)
    with pytest.raises(UserError, match="50 records"):
        check_sufficiency(load_recipe("folder", [f"data.list={csv}"]))
    csv.write_text("path,label,split\n" + "a.png,a,test\n" * 50)
    check_sufficiency(load_recipe("folder", [f"data.list={csv}"]))


def test_a_sample_too_small_for_the_margin_is_refused() -> None:
    check_sufficiency(load_recipe("digits"))
    with pytest.raises(UserError, match="digits holds 1797 records"):
        check_sufficiency(load_recipe("digits", ["budgets.accuracy_drop=0.002"]))


def test_without_a_budget_any_number_is_enough(pictures: Path) -> None:
    check_sufficiency(
        load_recipe("folder", [f"data.folder={pictures}", "budgets.accuracy_drop=null"])
    )


def test_an_empty_source_is_refused_without_a_budget_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    overrides = [f"data.folder={tmp_path / 'empty'}", "budgets.accuracy_drop=null"]
    with pytest.raises(UserError, match="empty: holds nothing"):
        check_sufficiency(load_recipe("folder", overrides))


def test_linked_folders_are_counted_once(pictures: Path) -> None:
    (pictures / "cat" / "loop").symlink_to(pictures, target_is_directory=True)
    with pytest.raises(UserError, match="20 records"):
        check_sufficiency(load_recipe("folder", [f"data.folder={pictures}"]))


# --- sources of named layouts --------------------------------------------------------

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_each_layout_s_block_in_the_docs_is_one_of_a_recipe(tmp_path: Path) -> None:
    kinds = set()
    (schema,) = (block for block in BLOCKS if block.startswith("classes:"))
    (tmp_path / "schema.yaml").write_text(schema)
    for block in BLOCKS:
        if block == schema:
            continue
        train = "" if "\ntrain:" in block else TRAIN
        whole = block if block.startswith("name:") else f"name: mine\n{train}{block}"
        recipe = load_recipe(write(tmp_path, whole), locations="elsewhere")
        if recipe.data.source is not None:
            kinds.add(recipe.data.source.kind)
        assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    union = typing.get_args(typing.get_args(AnySource)[0])
    assert kinds == {typing.get_args(each.model_fields["kind"].annotation)[0] for each in union}


def test_a_source_s_path_is_relative_to_the_recipe_and_bears_no_identity(tmp_path: Path) -> None:
    text = f"name: mine\n{TRAIN}data: {{source: {{kind: webdataset, path: shards}}}}\n"
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=r"data.source.path: there is no folder or file '.*shards'"):
        load_recipe(path)
    (tmp_path / "shards").mkdir()
    source = load_recipe(path).data.source
    assert source is not None and source.path == str(tmp_path / "shards")
    changed = load_recipe(path, ["data.source.label=json.class", f"data.source.path={tmp_path}"])
    assert changed.data.source is not None
    assert changed.data.source.model_dump() == {
        **source.model_dump(),
        "label": "json.class",
        "path": str(tmp_path),
    }
    assert changed.data.identity() == load_recipe(path).data.identity()
    assert load_recipe(path, [f"data.folder={tmp_path}"]).data.source is None


def test_a_source_of_no_such_kind_or_columns_without_a_list_are_refused(tmp_path: Path) -> None:
    for data, message in (
        ("source: {kind: zip, path: x}", "data.source.kind: must be one of cvat, folders, "),
        ("source: {kind: tfds, path: x, label: y}", "data.source.label: there is no such key; "),
        ("columns: {label: class}", "names those of a list; state data.list"),
        ("{folder: x, source: {kind: tfds, path: x}}", "exactly one of folder, list, sample"),
    ):
        data = data if data.startswith("{") else f"{{{data}}}"
        with pytest.raises(UserError, match=message):
            load_recipe(write(tmp_path, f"name: mine\n{TRAIN}data: {data}\n"), locations="open")


def test_containers_are_not_counted_as_pictures(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "0.tar").write_bytes(b"")
    check_sufficiency(load_recipe("folder", [f"data.folder={tmp_path / 'shards'}"]))
