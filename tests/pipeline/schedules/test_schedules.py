"""Schedules: files, and clusters brought to agree with them whatever happens meanwhile."""

import dataclasses
import itertools
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.common.documents.outcome import Outcome
from components.common.errors import UserError
from pipeline.cli.main import app
from pipeline.dag.compile import compile_dag
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.connection import connect
from pipeline.recipe import load_recipe
from pipeline.schedules import Schedule, Wanted, load_schedules, resolve
from pipeline.schedules.backfill import Filled, backfill
from pipeline.schedules.reconciliation import apply, plan, read_existing
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.targets import PRUNED, make_target
from tests.fakes.kfp_server import KfpServer

RECIPE = load_recipe("digits", tiny=True)
WINDOWED = load_recipe(
    "folder", ["data.folder=gs://b/pictures-{window_end}"], locations="elsewhere"
)
YESTERDAY, TOMORROW = (
    datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (-1, 1)
)
DAY_LATER = datetime(2026, 1, 2, tzinfo=UTC)
TARGET = make_target(Path("/mnt/litesmith"))
DAG = compile_dag(compressions=PRUNED, target=TARGET)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.kubeflow.cluster.WAITS_S", (0.0, 0.01, 0.01))
    monkeypatch.setattr("pipeline.kubeflow.transport.BACKOFF_S", 0.001)


def want(name: str = "nightly", **changes: Any) -> Wanted:
    values = {"name": name, "recipe": "digits", **changes}
    if "interval_s" not in values:
        values.setdefault("cron", "30 3 * * *")
    recipe = WINDOWED if "window_days" in values else RECIPE
    return Wanted(Schedule.model_validate(values), recipe, TARGET, DAG)


def settle(cluster: Cluster, *wanted: Wanted, owner: str = "us") -> list[str]:
    """Applies, and returns what was done."""
    done = apply(cluster, owner, wanted, lambda change: None)
    return [f"{change.action} {change.name}" for change in done]


def there(server: KfpServer) -> dict[str, str]:
    """Returns the mode of each recurring run by name; fails where a name is there twice."""
    names = [recurring["display_name"] for recurring in server.recurring_runs.values()]
    assert len(names) == len(set(names))
    return {r["display_name"]: r["mode"] for r in server.recurring_runs.values()}


# --- the file -------------------------------------------------------------------------

FILE = """
owner: vision/retraining
target: prod
schedules:
  - name: nightly
    recipe: digits
    tiny: true
    set: [train.epochs=2]
    cron: "30 3 * * 1-5"
    time_zone: Asia/Tokyo
    start: 2026-01-01T00:00:00Z
  - name: often
    recipe: digits
    tiny: true
    interval_s: 21600
    max_concurrency: 2
    catch_up: true
    enabled: false
"""

WINDOWED_FILE = (
    FILE.split("  - name: often")[0]
    .replace("recipe: digits", "recipe: folder")
    .replace("train.epochs=2", "'data.folder=gs://b/{window_end}'")
    .replace("1-5", "*")
    + "    window_days: 3\n"
)


def write_files(folder: Path, host: str = "http://127.0.0.1:1", text: str = FILE) -> Path:
    (folder / "targets").mkdir(exist_ok=True)
    target = make_target(folder, host).model_dump_json(exclude_none=True)
    (folder / "targets" / "prod.yaml").write_text(target)
    path = folder / "schedules.yaml"
    path.write_text(text)
    return path


def test_a_file_names_recipes_and_targets_beside_it(tmp_path: Path) -> None:
    path = write_files(tmp_path)
    ((target, wanted),) = resolve(load_schedules(path), tmp_path)
    assert target.namespace == "vision"
    assert [one.name for one in wanted] == ["nightly", "often"]
    assert wanted[0].recipe.train.epochs == 2
    assert wanted[0].schedule.utc_cron() == "0 30 18 * * 0,1,2,3,4"


def test_a_window_may_stand_in_the_path_of_a_source_of_a_named_layout(tmp_path: Path) -> None:
    source = """'data={source: {kind: webdataset, path: "gs://b/{window_end}"}}'"""
    text = WINDOWED_FILE.replace("'data.folder=gs://b/{window_end}'", source)
    ((_, (wanted,)),) = resolve(load_schedules(write_files(tmp_path, text=text)), tmp_path)
    stated = wanted.recipe.data.source
    assert stated is not None and stated.path == "gs://b/{window_end}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "interval_s: 21600",
            "interval_s: 21600\n    cron: '0 3 * * *'",
            "either cron or interval",
        ),
        ("name: often", "name: nightly", "the name nightly is given twice"),
        ("owner: vision/retraining", "owner: Vision!", "owner: "),
        ("max_concurrency: 2", "max_concurrency: 11", "schedules.1.max_concurrency: must be"),
        ("catch_up: true", "catchup: true", "schedules.1.catchup: there is no such key"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "schedules.0.start: "),
        ("catch_up: true", "catch_up: true\n    window_days: 7", "use `litesmith schedule backf"),
        ("Asia/Tokyo", "Europe/Berlin", "schedule nightly: time_zone: Europe/Berlin has daylight"),
        ("recipe: digits", "recipe: numbers", "schedule nightly: numbers: there is no such recipe"),
        ("catch_up: true", "window_days: 7", "window_days and the recipe's location go together"),
        ("interval_s: 21600", "interval_s: 10000000000000", "interval_s: must be less"),
        (
            "start: 2026-01-01T00:00:00Z",
            "start: 2026-01-02T00:00:00Z\n    end: 2026-01-01T00:00:00Z",
            "does not lie after start",
        ),
        ("2026-01-01T", "9999-01-01T", "schedules.0.start: must be less than 2100"),
        ("train.epochs=2", "train.epochs=many", "schedule nightly: "),
        ("target: prod", "target: staging", "no target file of that name"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_files(tmp_path, text=FILE.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        resolve(load_schedules(path), tmp_path)
    assert message in str(error.value)


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, "2026-07-02T03:30:00Z"),
        ({"start": "2027-01-01T03:30:00Z"}, "2027-01-02T03:30:00Z"),
        ({"interval_s": 3600, "cron": None}, "2026-07-01T13:00:00Z"),
        (
            {"interval_s": 3600, "cron": None, "start": "2026-07-01T11:30:00Z"},
            "2026-07-01T12:30:00Z",
        ),
        (
            {"interval_s": 3600, "cron": None, "start": "2027-01-01T00:00:00Z"},
            "2027-01-01T01:00:00Z",
        ),
    ],
)
def test_an_end_before_the_first_moment_left_is_seen(changes: dict[str, Any], end: str) -> None:
    values = {"name": "nightly", "recipe": "digits", "cron": "30 3 * * *", "end": end, **changes}
    schedule = Schedule.model_validate_json(json.dumps(values))
    assert schedule.end is not None
    assert schedule.fires_after(NOON)
    earlier = schedule.end - timedelta(seconds=1)
    assert not schedule.model_copy(update={"end": earlier}).fires_after(NOON)


def test_what_never_fires_again_is_refused_unless_it_is_off(tmp_path: Path) -> None:
    text = FILE.replace("start: 2026-01-01T", "end: 2026-01-01T")
    file = load_schedules(write_files(tmp_path, text=text))
    with pytest.raises(UserError, match="schedule nightly: never fires from now on, for it ends"):
        resolve(file, tmp_path, now=NOON)
    assert resolve(file, tmp_path), "a backfill of what is finished"
    off = text.replace("time_zone:", "enabled: false\n    time_zone:", 1)
    file = load_schedules(write_files(tmp_path, text=off))
    assert resolve(file, tmp_path, now=NOON)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cron": "0 3 31 2 *"}, "never"),
        ({"cron": "0 3 29 2 ?/6"}, "at intervals of more than 5 years"),
    ],
)
def test_days_that_never_come_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        want(**changes).facts()


def test_an_interval_ends_first_behind_its_start() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = want(interval_s=6 * 3600, start=start).schedule
    hours = [(moment - start) / timedelta(hours=1) for moment in schedule.moments(start, DAY_LATER)]
    assert hours == [6, 12, 18, 24]
    later = start + timedelta(hours=7)
    assert next(schedule.moments(later, DAY_LATER)) == start + timedelta(hours=12)
    free = want(interval_s=6 * 3600).schedule
    assert next(free.moments(later, DAY_LATER)) == later


def test_targets_of_one_namespace_are_looked_at_together(
    tmp_path: Path, server: KfpServer, cluster: Cluster
) -> None:
    """Else each target's schedules would be none of the file's, seen from the other."""
    text = FILE.replace("name: often", "name: often\n    target: big", 1)
    path = write_files(tmp_path, server.host, text)
    big = make_target(tmp_path, server.host, machine={"cpu": "8"})
    (tmp_path / "targets" / "big.yaml").write_text(big.model_dump_json(exclude_none=True))
    ((_, wanted),) = resolve(load_schedules(path), tmp_path)
    assert wanted[0].dag != wanted[1].dag
    settle(cluster, *wanted)
    assert there(server).keys() == {"nightly", "often"}
    elsewhere = big.model_copy(update={"namespace": "audio"}).model_dump_json(exclude_none=True)
    (tmp_path / "targets" / "big.yaml").write_text(elsewhere)
    assert len(resolve(load_schedules(path), tmp_path)) == 2


def test_the_example_is_valid() -> None:
    docs = Path(__file__).parents[3] / "docs"
    ((_, wanted),) = resolve(load_schedules(docs / "schedules.yaml"), docs)
    assert len(wanted) == 4


# --- plan and apply -------------------------------------------------------------------


def test_a_schedule_is_created_as_declared(cluster: Cluster, server: KfpServer) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert settle(cluster, want(start=start, max_concurrency=3)) == ["create nightly"]
    (made,) = server.recurring_runs.values()
    trigger = {"cron": "0 30 3 * * *", "start_time": "2026-01-01T00:00:00+00:00"}
    assert made["trigger"] == {"cron_schedule": trigger}
    assert (made["max_concurrency"], made["no_catchup"], made["mode"]) == ("3", True, "ENABLE")
    version = server.versions[made["pipeline_version_reference"]["pipeline_version_id"]]
    assert version["display_name"] == DAG.version_name


def test_a_description_fits_where_servers_keep_255_characters(
    cluster: Cluster, server: KfpServer
) -> None:
    settle(cluster, want(), owner="o" * 63)
    (made,) = server.recurring_runs.values()
    assert len(made["description"]) <= 255


def test_applying_again_does_nothing(cluster: Cluster, server: KfpServer) -> None:
    wanted = [want(), want("often", interval_s=3600, catch_up=True, enabled=False)]
    assert settle(cluster, *wanted) == ["create nightly", "create often"]
    before = dict(server.recurring_runs)
    assert settle(cluster, *wanted) == []
    assert server.recurring_runs == before
    assert there(server) == {"nightly": "ENABLE", "often": "DISABLE"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cron": "0 4 * * *"}, "cron"),
        ({"interval_s": 600, "cron": None}, "cron, interval_s"),
        ({"max_concurrency": 2}, "max_concurrency"),
        ({"catch_up": True}, "catch_up"),
        ({"end": datetime(2090, 1, 1, tzinfo=UTC)}, "end"),
    ],
)
def test_what_changed_is_replaced_and_named(
    cluster: Cluster, server: KfpServer, changes: dict[str, Any], named: str
) -> None:
    settle(cluster, want())
    (old,) = server.recurring_runs
    (change,) = plan([want(**changes)], read_existing(cluster, "us"))
    assert (change.action, change.reason) == ("replace", f"differs in {named}")
    assert settle(cluster, want(**changes)) == ["replace nightly"]
    assert old not in server.recurring_runs
    assert there(server) == {"nightly": "ENABLE"}


def test_a_recipes_change_replaces_and_is_named(cluster: Cluster) -> None:
    settle(cluster, want())
    other = dataclasses.replace(want(), recipe=load_recipe("digits"))
    (change,) = plan([other], read_existing(cluster, "us"))
    assert change.action == "replace"
    assert "finetune_config" in change.reason


def test_a_new_dag_replaces(cluster: Cluster, tmp_path: Path) -> None:
    settle(cluster, want())
    dag = compile_dag(compressions=PRUNED, target=make_target(tmp_path, machine={"cpu": "3"}))
    (change,) = plan([dataclasses.replace(want(), dag=dag)], read_existing(cluster, "us"))
    assert (change.action, change.reason) == ("replace", "differs in pipeline")


def test_the_server_collects_what_a_deleted_recurring_run_owns(
    cluster: Cluster, server: KfpServer
) -> None:
    """As Kubernetes does, unless it is asked to leave the workflows to themselves."""
    settle(cluster, want())
    (id_,) = server.recurring_runs
    over, going = server.fire(id_), server.fire(id_)
    for state in ("RUNNING", "SUCCEEDED"):
        server.move(over, state)
    delete = cluster.api.client.recurring_runs.recurring_run_service_delete_recurring_run
    cluster.api.call(delete, recurring_run_id=id_)
    assert server.collected == {going}
    server.autopilot = ("RUNNING", "SUCCEEDED")
    assert cluster.get(going).state == "PENDING"


@pytest.mark.parametrize("wanted", [[want(cron="0 4 * * *")], [want(enabled=False)], []])
def test_a_run_under_way_outlives_a_change_of_its_schedule(
    cluster: Cluster, server: KfpServer, wanted: list[Wanted]
) -> None:
    settle(cluster, want())
    (id_,) = server.recurring_runs
    run_id = server.fire(id_)
    server.move(run_id, "RUNNING")
    done = apply(cluster, "us", wanted, lambda change: None)
    assert not server.collected
    server.move(run_id, "SUCCEEDED")
    run = cluster.get(run_id)
    assert run.state == "SUCCEEDED"
    gone = id_ not in server.recurring_runs
    assert gone == (f"what is under way goes on: {run.name}" in done[0].reason)


def test_what_is_over_or_anothers_is_not_said_to_go_on(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want(), want("weekly"))
    nightly, weekly = server.recurring_runs
    server.fire(weekly)
    run_id = server.fire(nightly)
    for state in ("RUNNING", "FAILED"):
        server.move(run_id, state)
    (change,) = apply(cluster, "us", [want("weekly")], lambda change: None)
    assert change.reason == "is not in the file any more"


def test_a_recurring_run_whose_experiment_was_deleted_goes(
    cluster: Cluster, server: KfpServer
) -> None:
    settle(cluster, want())
    (made,) = server.recurring_runs.values()
    made["experiment_id"] = "deleted"
    server.experiments["deleted"] = {"namespace": ""}
    listed = server.answer

    def answer(request: Any) -> Any:
        if request.query.get("experiment_id") == "deleted":
            server.experiments.pop("deleted", None)
        return listed(request)

    server.answer = answer  # type: ignore[method-assign]
    assert settle(cluster) == ["delete nightly"]


def test_a_server_that_would_end_the_run_is_not_asked_to(target: Any, server: KfpServer) -> None:
    server.version = "2.15.0"
    with connect(target, {}) as api:
        cluster = Cluster(api, target)
        settle(cluster, want())
        (id_,) = server.recurring_runs
        run_id = server.fire(id_)
        with pytest.raises(UserError, match="nightly: .* is under way, and KFP 2.15.0 ends a run"):
            settle(cluster, want(cron="0 4 * * *"))
        assert list(server.recurring_runs) == [id_] and not server.collected
        assert there(server) == {"nightly": "ENABLE"}
        for state in ("RUNNING", "SUCCEEDED"):
            server.move(run_id, state)
        assert settle(cluster, want(cron="0 4 * * *")) == ["replace nightly"]


@pytest.mark.parametrize(
    ("start", "changes", "told"),
    [
        (YESTERDAY, {}, f"the latest run that it missed since {YESTERDAY}"),
        (YESTERDAY, {"catch_up": True}, f"every run that it missed since {YESTERDAY}"),
        (TOMORROW, {}, None),
        (YESTERDAY, {"enabled": False}, None),
        (None, {}, None),
    ],
    ids=["latest", "every", "to come", "off", "no start"],  # The same in all workers of xdist.
)
def test_what_starts_at_once_is_told_before(
    start: datetime | None, changes: dict[str, Any], told: str | None
) -> None:
    (change,) = plan([want(start=start, **changes)], [])
    if told is None:
        assert change.reason == "is not on the cluster"
    else:
        assert told in change.reason


@pytest.mark.parametrize(
    ("catch_up", "told"),
    [(False, "the latest run that it missed, if any"), (True, "every run that it missed starts")],
)
def test_switching_on_tells_what_starts_at_once(
    cluster: Cluster, catch_up: bool, told: str
) -> None:
    settle(cluster, want(enabled=False, catch_up=catch_up))
    (change,) = plan([want(catch_up=catch_up)], read_existing(cluster, "us"))
    assert change.action == "enable" and told in change.reason
    settle(cluster, want(catch_up=catch_up))
    (change,) = plan([want(enabled=False, catch_up=catch_up)], read_existing(cluster, "us"))
    assert (change.action, change.reason) == ("disable", "enabled: false")


def test_what_takes_anothers_place_makes_up_for_nothing_again(
    cluster: Cluster, server: KfpServer
) -> None:
    """KFP would take all that lies behind the start for missed, and run it once more."""
    start, before = datetime(2026, 1, 1, 0, 7, tzinfo=UTC), datetime.now(UTC)
    wanted = [
        want(start=start, catch_up=True),
        want("often", interval_s=3600, start=start),
        want("later", start=TOMORROW),
    ]
    settle(cluster, *wanted)
    assert set(starts(server).values()) == {start, TOMORROW}
    changed = [
        dataclasses.replace(one, schedule=one.schedule.model_copy(update={"max_concurrency": 2}))
        for one in wanted
    ]
    assert settle(cluster, *changed) == ["replace nightly", "replace often", "replace later"]
    found = starts(server)
    assert before.replace(microsecond=0) <= found["nightly"] <= datetime.now(UTC)
    assert (found["often"] - start) % timedelta(hours=1) == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - found["often"] < timedelta(hours=1, minutes=1)
    assert found["later"] == TOMORROW
    assert settle(cluster, *changed) == []


def starts(server: KfpServer) -> dict[str, datetime]:
    found = {}
    for recurring in server.recurring_runs.values():
        (trigger,) = recurring["trigger"].values()
        found[recurring["display_name"]] = datetime.fromisoformat(trigger["start_time"])
    return found


def test_switching_off_and_on_keeps_the_recurring_run(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want())
    before = set(server.recurring_runs)
    assert settle(cluster, want(enabled=False)) == ["disable nightly"]
    assert there(server) == {"nightly": "DISABLE"}
    assert settle(cluster, want()) == ["enable nightly"]
    assert there(server) == {"nightly": "ENABLE"}
    assert set(server.recurring_runs) == before


def test_only_what_is_owned_is_touched(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want(), want("weekly"))
    settle(cluster, want("theirs"), owner="them")
    (mine, *_) = server.recurring_runs.values()
    by_hand = {**mine, "recurring_run_id": "by-hand", "display_name": "by hand"}
    server.recurring_runs["by-hand"] = {**by_hand, "description": "made in the UI"}
    assert settle(cluster, want()) == ["delete weekly"]
    assert there(server).keys() == {"nightly", "theirs", "by hand"}
    assert settle(cluster) == ["delete nightly"]
    assert there(server).keys() == {"theirs", "by hand"}


def test_existing_ones_are_read_through_all_pages(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want())
    (mine,) = server.recurring_runs.values()
    for number in range(230):
        id_ = f"foreign-{number}"
        foreign = {"recurring_run_id": id_, "display_name": id_, "description": ""}
        server.recurring_runs[id_] = {**mine, **foreign, "created_at": "2020-01-01T00:00:00Z"}
    assert settle(cluster, want()) == []


def steps_of(server: KfpServer) -> int:
    return server.count("^(POST|DELETE)")


def interrupted_applies(server: KfpServer, cluster: Cluster) -> Iterator[int]:
    """Applies a replacement and a removal that break off at each write in turn."""
    for step in itertools.count(1):
        server.recurring_runs.clear()
        settle(cluster, want(), want("weekly"))
        server.requests.clear()
        # Every later write fails, too: as if the process had been killed there.
        original = server.answer

        def answer(request: Any, step: int = step, original: Any = original) -> Any:
            if request.method != "GET" and steps_of(server) >= step - 1:
                raise KilledError
            return original(request)

        server.answer = answer  # type: ignore[method-assign]
        try:
            done = settle(cluster, want(cron="0 4 * * *"))
        except UserError:
            done = None
        finally:
            server.answer = original  # type: ignore[method-assign]
        if done is not None:
            return
        yield step


class KilledError(Exception):
    """The applier is gone: nothing that it asks for is done any more."""


def test_an_apply_that_stops_half_way_is_mended_by_the_next(
    cluster: Cluster, server: KfpServer
) -> None:
    stopped_at = []
    for step in interrupted_applies(server, cluster):
        stopped_at.append(step)
        active = [r for r in server.recurring_runs.values() if r["mode"] == "ENABLE"]
        names = [recurring["display_name"] for recurring in active]
        assert len(names) == len(set(names)), "old and new fire side by side"
        settle(cluster, want(cron="0 4 * * *"))
        assert there(server) == {"nightly": "ENABLE"}
        assert settle(cluster, want(cron="0 4 * * *")) == []
    assert len(stopped_at) >= 4


def test_a_refused_replacement_leaves_the_old_one_on(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want())
    server.fail("POST .*/recurringruns$", *["503"] * 10)
    with pytest.raises(UserError):
        settle(cluster, want(cron="0 4 * * *"))
    assert there(server) == {"nightly": "ENABLE"}


@pytest.mark.parametrize("fault", ["reset", "lost", "503"])
def test_a_creation_that_fails_is_done_once(
    cluster: Cluster, server: KfpServer, fault: Any
) -> None:
    server.fail("POST .*/recurringruns$", fault)
    assert settle(cluster, want()) == ["create nightly"]
    assert there(server) == {"nightly": "ENABLE"}


def test_many_apply_at_once(target: Any, server: KfpServer) -> None:
    wanted = [want(), want("weekly", cron="0 3 * * 1"), want("off", enabled=False)]

    def run(_: int) -> None:
        with connect(target, {}) as api:
            settle(Cluster(api, target), *wanted)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    with connect(target, {}) as api:
        settle(Cluster(api, target), *wanted)
    assert there(server) == {"nightly": "ENABLE", "weekly": "ENABLE", "off": "DISABLE"}


def test_of_two_applied_at_once_never_both_are_on(target: Any, server: KfpServer) -> None:
    both_looked, both_made = threading.Barrier(2), threading.Barrier(2)
    on: list[int] = []

    def apply_once(_: int) -> None:
        with connect(target, {}) as api:
            service = api.client.recurring_runs
            create = service.recurring_run_service_create_recurring_run

            def create_together(**named: Any) -> Any:
                both_looked.wait(30)
                created = create(**named)
                both_made.wait(30)
                on.append(sum(r["mode"] == "ENABLE" for r in server.recurring_runs.values()))
                return created

            service.recurring_run_service_create_recurring_run = create_together
            for operation in ("enable", "disable", "delete"):
                name = f"recurring_run_service_{operation}_recurring_run"
                setattr(service, name, watched(getattr(service, name)))
            settle(Cluster(api, target), want())

    def watched(operation: Any) -> Any:
        def call(**named: Any) -> Any:
            answer = operation(**named)
            on.append(sum(r["mode"] == "ENABLE" for r in list(server.recurring_runs.values())))
            return answer

        return call

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(apply_once, range(2)))
    assert there(server) == {"nightly": "ENABLE"}
    assert max(on) == 1


@pytest.mark.parametrize("twin_id", ["0", "z"])
@pytest.mark.parametrize(("created", "stays"), [("2030", "first"), ("2020", "twin")])
@pytest.mark.parametrize("listed_first", [False, True])
def test_of_equal_ones_the_oldest_stays(
    cluster: Cluster, server: KfpServer, twin_id: str, created: str, stays: str, listed_first: bool
) -> None:
    settle(cluster, want())
    (first,) = server.recurring_runs.values()
    twin = {**first, "recurring_run_id": twin_id, "created_at": f"{created}-01-01T00:00:00Z"}
    for one in (twin, first) if listed_first else (first, twin):
        server.recurring_runs.pop(one["recurring_run_id"], None)
        server.recurring_runs[one["recurring_run_id"]] = one
    assert settle(cluster, want()) == ["delete nightly"]
    kept = {"first": first["recurring_run_id"], "twin": twin_id}
    assert list(server.recurring_runs) == [kept[stays]]


def test_a_scheduled_run_has_a_folder_of_its_own(cluster: Cluster, server: KfpServer) -> None:
    settle(cluster, want(window_days=7))
    (id_,) = server.recurring_runs
    runs = [cluster.get(server.fire(id_)) for _ in range(2)]
    assert [run.context.run_id for run in runs] == [run.kfp_id for run in runs]
    assert runs[0].context.window_days == 7
    assert "{window_end}" not in runs[0].context.located("{window_end}")


# --- backfill -------------------------------------------------------------------------


def fill(cluster: Cluster, one: Wanted, first: int, last: int, **options: Any) -> list[Filled]:
    options = {"concurrency": 2, "report": lambda filled: None, "poll_s": 0, **options}
    return backfill(cluster, one, date(2026, 3, first), date(2026, 3, last), **options)


def test_each_day_sees_its_own_window(cluster: Cluster, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "SUCCEEDED")
    filled = fill(cluster, want(window_days=7), 2, 4)
    windows = [one.run.context.located("{window_start}/{window_end}") for one in filled]
    assert windows == ["2026-02-23/2026-03-01", "2026-02-24/2026-03-02", "2026-02-25/2026-03-03"]
    assert [one.run.name for one in filled] == [f"nightly-2026030{day}-0330" for day in (2, 3, 4)]


def test_what_is_done_is_passed_over(cluster: Cluster, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "SUCCEEDED")
    fill(cluster, want(window_days=1), 2, 3)
    filled = fill(cluster, want(window_days=1), 1, 4)
    assert [one.was_there for one in filled] == [False, True, True, False]
    assert len(server.runs) == 4


def test_what_failed_is_tried_again(cluster: Cluster, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "FAILED")
    assert [one.run.state for one in fill(cluster, want(window_days=1), 2, 2)] == ["FAILED"]
    server.autopilot = ("RUNNING", "SUCCEEDED")
    (again,) = fill(cluster, want(window_days=1), 2, 2)
    assert (again.run.name, again.run.state) == ("nightly-20260302-0330-2", "SUCCEEDED")


def test_two_backfills_at_once_run_each_day_once(target: Any, server: KfpServer) -> None:
    server.autopilot = ("RUNNING", "SUCCEEDED")
    both_looked = threading.Barrier(2)

    def run(_: int) -> list[Filled]:
        with connect(target, {}) as api:
            cluster = Cluster(api, target)
            runs = cluster.runs

            def listed(**named: Any) -> Any:
                found = list(runs(**named))
                both_looked.wait(30)  # Neither sees what the other is about to start.
                return iter(found)

            cluster.runs = listed  # type: ignore[method-assign]
            return fill(cluster, want(window_days=1), 1, 6)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, range(2))
    assert [f.run.kfp_id for f in one] == [f.run.kfp_id for f in other]
    kept = [r["display_name"] for r in server.runs.values() if r["state"] == "SUCCEEDED"]
    assert len(kept) == len(set(kept)) == 6
    assert {r["state"] for r in server.runs.values()} <= {"SUCCEEDED", "CANCELING"}


def test_no_more_run_at_once_than_may(cluster: Cluster, server: KfpServer) -> None:
    most = 0

    def look(_: float) -> None:
        nonlocal most
        going = [id_ for id_, run in server.runs.items() if run["state"] == "PENDING"]
        most = max(most, len(going))
        for id_ in going[:1]:
            server.move(id_, "RUNNING")
            server.move(id_, "SUCCEEDED")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.schedules.backfill.time.sleep", look)
        filled = fill(cluster, want(window_days=1), 1, 9, concurrency=3)
    assert len(filled) == len(server.runs) == 9
    assert most == 3


def test_a_backfill_needs_windows_and_moments(cluster: Cluster) -> None:
    with pytest.raises(UserError, match="has no window_days"):
        fill(cluster, want(), 1, 2)
    with pytest.raises(UserError, match="never fires from 2026-03-02 to 2026-03-03"):
        fill(cluster, want(window_days=1, cron="0 0 * * 6"), 2, 3)


# --- the command line -----------------------------------------------------------------


def test_plan_apply_and_backfill_by_hand(tmp_path: Path, server: KfpServer) -> None:
    path, runner = write_files(tmp_path, server.host), CliRunner()
    options = ["--file", str(path)]
    planned = runner.invoke(app, ["schedule", "plan", *options], catch_exceptions=False)
    assert "create   nightly: is not on the cluster" in planned.output
    assert not server.recurring_runs and not server.versions
    applied = runner.invoke(app, ["schedule", "apply", *options], catch_exceptions=False)
    assert there(server) == {"nightly": "ENABLE", "often": "DISABLE"}, applied.output
    again = runner.invoke(app, ["schedule", "apply", *options], catch_exceptions=False)
    assert "nothing to do" in again.output
    days = ["--from", "2026-03-01", "--to", "2026-03-02"]
    refused = runner.invoke(app, ["schedule", "backfill", "never", *days, *options])
    assert "has no such schedule" in str(refused.exception)


def test_a_backfill_tells_who_lost_against_whom(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two days that competed for one registry."""
    monkeypatch.setattr("pipeline.schedules.backfill.time.sleep", lambda seconds: None)
    server.autopilot = ("RUNNING", "SUCCEEDED")
    path = write_files(tmp_path, server.host, WINDOWED_FILE)
    ends = {
        "nightly-20260301-1830": ("blessed", "It is published as version v1."),
        "nightly-20260302-1830": ("not_blessed", "meanwhile the blessed version became v1"),
    }
    for run_id, (verdict, message) in ends.items():
        outcome = Outcome.model_validate(
            {
                "run_id": run_id,
                "state": "succeeded",
                "verdict": verdict,
                "message": message,
                "failed_task": None,
            }
        )
        folder = tmp_path / "data" / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / Outcome.file_name).write_text(outcome.to_json())
    command = ["schedule", "backfill", "nightly", "--from", "2026-03-01", "--to", "2026-03-02"]
    command += ["--file", str(path), "--concurrency", "2"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    words = " ".join(result.output.split())
    assert "2026-03-01 18:30, nightly-20260301-1830: blessed: It is published as v" in words
    assert "nightly-20260302-1830: not blessed: meanwhile the blessed version became v1" in words
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.output.count(", run before:") == 2


def test_the_help_says_what_a_backfill_at_once_costs() -> None:
    shown = CliRunner().invoke(app, ["schedule", "backfill", "--help"]).output
    assert "one at a time compares well" in " ".join(re.sub("[│\\s]+", " ", shown).split())


@pytest.mark.parametrize(
    ("first", "last", "option"),
    [("0001-01-01", "2026-01-01", "--from"), ("2026-01-01", "9999-12-31", "--to")],
)
def test_a_backfill_is_for_past_days(tmp_path: Path, first: str, last: str, option: str) -> None:
    command = ["schedule", "backfill", "nightly", "--from", first, "--to", last]
    refused = CliRunner().invoke(app, [*command, "--file", str(write_files(tmp_path))])
    assert f"{option} " in str(refused.exception) and "to today" in str(refused.exception)


def test_backfill_ends_with_a_status(
    tmp_path: Path, server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.schedules.backfill.time.sleep", lambda seconds: None)
    path = write_files(tmp_path, server.host, WINDOWED_FILE)
    command = ["schedule", "backfill", "nightly", "--from", "2026-03-02", "--to", "2026-03-03"]
    for end, code in (("FAILED", ExitCode.STAGE_FAILED), ("SUCCEEDED", ExitCode.OK)):
        server.autopilot = ("RUNNING", end)
        result = CliRunner().invoke(app, [*command, "--file", str(path), "--concurrency", "2"])
        assert result.exit_code == code, (result.output, result.exception)
