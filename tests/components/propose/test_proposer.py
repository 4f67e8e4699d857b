"""The proposer in simulated worlds: what it finds, for how much, and that only facts count."""

from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean

import pytest

from components.common.documents.decision import Objective
from components.common.documents.ladder import Ladder, Trial
from components.compress.steps.vocabulary import Settings as Vocabulary
from components.propose.config import ProposeConfig
from components.propose.judging import Judged, judge_trials
from components.propose.proposer import propose
from tests.components.propose.worlds import (
    EPOCH_S,
    OF_PICTURES,
    OF_TEXTS,
    Search,
    World,
    grid,
    make_config,
    propose_dense,
    try_grid,
)

SERVED: Mapping[Objective, set[str]] = {
    "zipped_bytes": {"prune", "vocabulary"},
    "size_bytes": {"vocabulary"},
    "latency_ms": {"length"},
}
"""By which rungs an objective gains, of those for texts."""


def best_of(trials: Sequence[Trial], config: ProposeConfig) -> Judged:
    judged = judge_trials(trials, config)
    found = (one for candidates in judged.values() for one in candidates if one.holds)
    return min(found, key=lambda one: (one.weight, one.risk, one.candidate_id))


@pytest.mark.parametrize(
    ("objective", "share"),
    [
        ("zipped_bytes", 0.75),
        pytest.param("size_bytes", 0.8, marks=pytest.mark.slow),
        pytest.param("latency_ms", 0.8, marks=pytest.mark.slow),
    ],
)
def test_with_a_third_of_the_grids_trainings_and_time_it_mostly_finds_what_is_as_light(
    objective: Objective, share: float
) -> None:
    """In that share of worlds its best is at least as light as the best of the full grid."""
    found = []
    for seed in range(24):
        config = make_config(objective=objective)
        whole = try_grid(World(seed), config)
        limit = sum(trial.training_s for trial in whole) / 3
        most = (len(whole) - 1) // 3
        told = make_config(objective=objective, time_limit_s=limit, trials=most)
        search = Search(World(seed), told)
        ladder = search.run()
        assert ladder.training_s <= limit
        assert sum(trial.proposal.epochs > 0 for trial in ladder.trials) <= most
        won = best_of(list(search.trials.values()), config)
        found.append(won.weight <= best_of(whole, config).weight)
        assert ladder.finalists[0] == won.candidate_id
    assert fmean(found) >= share


@pytest.mark.parametrize("seed", range(10))
def test_a_search_that_is_cut_and_gone_on_with_goes_the_same_way(seed: int) -> None:
    config = make_config()
    whole = Search(World(seed), config).run()
    random = Random(seed)
    for _ in range(3):
        ladder: Ladder | None = None
        trials: dict[str, Trial] = {}
        search = Search(World(seed), config)
        search.try_variant(propose_dense(config))
        # What is known between two rounds is written down and read again, in any order.
        for _ in range(whole.round):
            trials = {**trials, **search.trials}
            known = list(trials.values())
            random.shuffle(known)
            before = ladder and Ladder.model_validate_json(ladder.model_dump_json())
            ladder = propose(config, known, before=before)
            for proposal in ladder.proposals:
                search.try_variant(proposal)
        assert ladder == whole


def test_what_can_no_longer_win_is_not_trained_and_the_ladder_says_so() -> None:
    ladder = Search(World(0), make_config()).run()
    tried = {trial.proposal.variant.id for trial in ladder.trials}
    untried = [one for one in ladder.verdicts if one.state == "not_tried"]
    assert untried and not tried & {one.variant_id for one in untried}
    for reason in ("even if it held, it would be no lighter than", "which is milder, lost too"):
        assert any(reason in one.sentence for one in untried), reason
    for verdict in ladder.verdicts:
        assert verdict.sentence.endswith(".") and verdict.sentence.count("\n") == 0


def test_a_sparser_child_of_what_lost_beyond_noise_is_never_trained() -> None:
    for seed in range(12):
        config = make_config()
        search = Search(World(seed), config)
        ladder = search.run()
        judged = judge_trials(ladder.trials, config)
        order = [id_ for ids in ladder.rounds for id_ in ids]
        for trial in ladder.trials:
            rung, level = trial.proposal.rung, trial.proposal.level
            candidates = judged[trial.proposal.variant.id]
            if not candidates or not all(one.is_out for one in candidates) or trial.proposal.brief:
                continue
            stronger = [
                other.proposal.variant.id
                for other in ladder.trials
                if (other.proposal.rung, other.proposal.variant.parent)
                == (rung, trial.proposal.variant.parent)
                and other.proposal.level > level
            ]
            own = order.index(trial.proposal.variant.id)
            assert all(order.index(id_) <= own for id_ in stronger), (seed, stronger)


def test_sparsity_is_tried_for_zipped_bytes_alone() -> None:
    for objective in ("size_bytes", "latency_ms"):
        ladder = Search(World(1), make_config(objective=objective)).run()
        assert "prune" not in {trial.proposal.rung for trial in ladder.trials}
        (note,) = ladder.notes
        assert note.startswith(f"prune is not tried for {objective}: a zero takes as many bytes")
    ladder = Search(World(1), make_config()).run()
    assert "prune" in {trial.proposal.rung for trial in ladder.trials}


def test_of_texts_bytes_lose_tokens_and_weights_and_time_loses_length() -> None:
    asked = {}
    for objective in SERVED:
        search = Search(World(3), make_config(objective=objective, steps=OF_TEXTS))
        trials = search.run().trials
        asked[objective] = {trial.proposal.rung for trial in trials} - {"dense"}
    assert asked == SERVED


def test_fewer_tokens_cost_no_training_and_are_pruned_in_turn() -> None:
    config = make_config(steps=OF_TEXTS, trials=1)
    ladder = Search(World(0), config).run()
    fewer = [trial.proposal for trial in ladder.trials if trial.proposal.rung == "vocabulary"]
    assert len(fewer) > 1, "they count for no training"
    for proposal in fewer:
        (step,) = proposal.variant.steps
        assert (proposal.epochs, proposal.brief) == (0, False)
        assert Vocabulary.model_validate(step.settings).at_least == proposal.level
    whole = Search(World(0), make_config(steps=OF_TEXTS)).run()
    parents = {trial.proposal.variant.parent for trial in whole.trials}
    assert {one.variant.id for one in fewer} & parents


def test_a_text_is_cut_to_a_share_of_what_the_model_sees() -> None:
    ladder = Search(World(3), make_config(objective="latency_ms", steps=OF_TEXTS)).run()
    shortened = [trial.proposal for trial in ladder.trials if trial.proposal.rung == "length"]
    for proposal in shortened:
        (step,) = proposal.variant.steps
        assert step.settings["tokens"] == 64 * (1 - proposal.level)
    assert shortened[0].variant.id.startswith("length")


def test_only_rungs_whose_step_there_is_are_proposed() -> None:
    ladder = Search(World(2), make_config(steps=["prune"])).run()
    assert {trial.proposal.rung for trial in ladder.trials} == {"dense", "prune"}


@pytest.mark.parametrize("trials", [1, 4])
def test_no_more_variants_are_trained_than_asked_for(trials: int) -> None:
    ladder = Search(World(3), make_config(trials=trials)).run()
    assert sum(trial.proposal.epochs > 0 for trial in ladder.trials) == trials


def test_the_time_limit_keeps_out_what_would_exceed_it_by_what_those_before_took() -> None:
    limit = 4 * 10 * min(EPOCH_S[kind] for kind in OF_PICTURES)
    ladder = Search(World(3), make_config(time_limit_s=limit)).run()
    assert 0 < ladder.training_s <= limit
    search = Search(World(3), make_config(time_limit_s=limit))
    search.run()
    assert search.notes and all("time_limit_s" in note for note in search.notes)


def test_time_is_what_the_trials_took_and_no_clock() -> None:
    """The same trials with other times part ways only where the limit does."""
    config = make_config()
    search = Search(World(4), config)
    ladder = search.run()
    slower = [
        trial.model_copy(update={"training_s": 2 * trial.training_s}) for trial in ladder.trials
    ]
    again = propose(config, slower, before=ladder.model_copy(update={"round": ladder.round - 1}))
    assert again.verdicts == ladder.verdicts and again.finalists == ladder.finalists


def test_a_whole_training_goes_to_what_a_brief_one_leaves_open() -> None:
    """Successive halving: fewer whole trainings than brief ones, and each of a level tried so."""
    brief = whole = decided = 0
    for seed in range(10):
        config = make_config(objective="size_bytes")
        trials = Search(World(seed), config).run().trials
        judged = judge_trials(trials, config)
        ids = {trial.proposal.variant.id for trial in trials}
        for trial in trials:
            id_ = trial.proposal.variant.id
            brief += trial.proposal.brief
            whole += trial.proposal.epochs > 0 and not trial.proposal.brief
            lost = not any(one.holds for one in judged[id_])
            decided += trial.proposal.brief and lost and id_.removesuffix("-brief") in ids
    assert 0 < whole < brief and decided > 0


def test_what_chains_stand_on_and_end_with_is_trained_whole_at_once() -> None:
    for seed in range(4):
        trials = Search(World(seed), make_config()).run().trials
        assert len(trials) > 2 and not any(trial.proposal.brief for trial in trials)


def test_five_finalists_at_most_each_heavier_one_surer_to_hold() -> None:
    config = make_config(finalists=3)
    for seed in range(10):
        ladder = Search(World(seed), config).run()
        judged = {
            one.candidate_id: one
            for candidates in judge_trials(ladder.trials, config).values()
            for one in candidates
        }
        chosen = [judged[id_] for id_ in ladder.finalists]
        assert 1 <= len(chosen) <= 3
        assert chosen == sorted(chosen, key=lambda one: one.weight)
        assert chosen == sorted(chosen, key=lambda one: -one.risk)
        assert "float32" not in ladder.finalists


def test_where_nothing_holds_the_safest_goes_to_the_proof() -> None:
    config = make_config()
    trial = World(5).try_variant(propose_dense(config), ())
    lost = [
        one if one.candidate_id == "float32" else one.model_copy(update={"right": "1"})
        for one in trial.candidates
    ]
    hopeless = trial.model_copy(update={"candidates": tuple(lost)})
    over = Ladder(round=config.search.rounds)  # type: ignore[union-attr]
    assert propose(config, [hopeless], before=over).finalists == ("int8-snap4",)


def test_a_variant_that_could_not_be_made_is_a_level_that_does_not_hold() -> None:
    config = make_config(steps=["prune"], epochs=1)
    search = Search(World(6), config)
    search.try_variant(propose_dense(config))
    ladder = propose(config, search.trials.values())
    (proposal,) = ladder.proposals
    failed = Trial(proposal=proposal, examples=0, training_s=1.0, failure="It fell over.")
    after = propose(config, [*search.trials.values(), failed], before=ladder)
    assert [one.level for one in after.proposals] == [0.7]
    (verdict,) = (one for one in after.verdicts if one.variant_id == proposal.variant.id)
    assert (verdict.state, verdict.sentence) == ("lost", "prune80: It fell over.")


def test_the_grid_has_every_level_and_every_chain() -> None:
    chains = list(grid(make_config()))
    assert len(chains) == 4 + 2 * (3 + 3 * 4)
