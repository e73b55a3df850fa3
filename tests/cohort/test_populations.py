import dataclasses
from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.generic_set import assign_split, assign_splits, choose_generic_draws, count_splits_by_class
from kalemia.cohort.populations import find_nearest_to_personal, usable_draws_by_subject, write_populations
from kalemia.core.errors import UserError
from kalemia.core.tables import read_json, read_table, table_from_rows, write_table

START = datetime(2150, 1, 1)
RULES = {"in a population": "by hand"}


def _rows(subject, labels, first_id, reasons=()):
    rows = []
    for i, label in enumerate(labels):
        row = {
            "subject_id": subject,
            "draw_id": first_id + i,
            "draw_time": START + timedelta(hours=3 * i),
            "label": label,
        }
        rows.append(row | {"value": {1: 6.0, 0: 4.0, None: 5.2}[label], "reason": dict(reasons).get(i)})
    return rows


@pytest.fixture
def people():
    """One personal patient, one who would be but for quality, and 60 others, half of them with positive draws."""
    rows = _rows(1, [1, 1, 0, 0, None] * 5, 1000) + _rows(2, [1, 0] * 8, 2000, [(0, "too few good beats")])
    for subject in range(3, 63):
        rows += _rows(subject, [1, 1, 0] if subject % 2 else [0, 0, 0], subject * 10_000)
    return rows


def _write(tmp_path, study, rows, imports_generic=False, **settings):
    quality = tmp_path / "q.parquet"
    write_table(quality, "quality", table_from_rows("quality", rows))
    names = ("subject_id", "draw_id", "draw_time", "value", "label")
    draws = [{name: row[name] for name in names} for row in rows]
    draws.append(draws[-1] | {"draw_id": 1, "reason": "no recording"})
    write_table(tmp_path / "d.parquet", "draws", table_from_rows("draws", draws))
    populations = dataclasses.replace(study.populations, **settings)
    outputs = [tmp_path / name for name in ("populations.parquet", "generic.parquet", "personal.parquet")]
    outputs += [tmp_path / name for name in ("outcomes.parquet", "flow.json")]
    write_populations(tmp_path / "d.parquet", [quality], populations, RULES, 5, imports_generic, "", *outputs)
    tables = [
        read_table(tmp_path / f"{kind}.parquet", kind).to_pylist() for kind in ("populations", "generic", "personal")
    ]
    return *tables, read_json(outputs[-1])


def test_who_has_enough_usable_draws_of_both_classes_is_personal(tmp_path, study, people):
    populations, generic, personal, _ = _write(tmp_path, study, people)
    of = {row["subject_id"]: row["population"] for row in populations}
    assert of[1] == "personal"
    assert of[2] == "generic"
    assert [row["subject_id"] for row in personal] == [1] * 25
    assert 1 not in {row["subject_id"] for row in generic}


def test_generic_classes_are_balanced_and_from_different_people(tmp_path, study, people):
    _, generic, _, _ = _write(tmp_path, study, people)
    labels = {}
    for row in generic:
        labels.setdefault(row["subject_id"], set()).add(row["label"])
    assert all(len(found) == 1 for found in labels.values())
    count = Counter(row["label"] for row in generic)
    assert abs(count[0] - count[1]) <= 2


def test_every_person_is_in_one_split_with_all_draws(tmp_path, study, people):
    _, generic, _, _ = _write(tmp_path, study, people)
    splits = {}
    for row in generic:
        splits.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "validation", "test"}


def test_split_fractions_match_the_configuration(study):
    count = Counter(assign_split(subject, study.populations, 1) for subject in range(5000))
    assert count["train"] / 5000 == pytest.approx(0.6, abs=0.02)
    assert count["validation"] / 5000 == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("n", [3, 4, 5, 8, 12, 20])
def test_no_seed_leaves_a_split_of_few_people_without_a_class(study, n):
    """By chance alone one seed in three would, of twelve people of each class."""
    usable = usable_draws_by_subject([row for s in range(2 * n) for row in _rows(s, [s % 2], s)])
    for seed in range(200):
        splits = count_splits_by_class(choose_generic_draws(usable, study.populations, seed))
        assert min(min(of_split.values()) for of_split in splits.values()) >= max(1, n // 10)
        assert sum(of_split["positive"] for of_split in splits.values()) == n


@given(st.integers(3, 40), st.floats(0.01, 0.98), st.integers(0, 99))
def test_quotas_hold_everybody_and_follow_the_fractions(study, n, train, seed):
    fractions = dataclasses.replace(study.populations.generic_split, train=train, validation=0.0, test=1 - train)
    settings = dataclasses.replace(study.populations, generic_split=fractions)
    count = Counter(assign_splits(range(n), settings, seed).values())
    assert count["train"] + count["test"] == n
    assert count["train"] >= max(1, int(n * train / 2))
    assert count["test"] >= max(1, int(n * (1 - train) / 2))


@pytest.mark.parametrize(("n", "n_more"), [(400, 1), (400, 200), (500, 3)])
def test_splits_do_not_change_when_people_join_many(study, n, n_more):
    def splits(subjects):
        usable = usable_draws_by_subject([row for s in subjects for row in _rows(s, [s % 2], s)])
        return {row["subject_id"]: row["split"] for row in choose_generic_draws(usable, study.populations, 1)}

    before, after = splits(range(n)), splits(range(n + n_more))
    assert all(before[subject] == after[subject] for subject in set(before) & set(after))


def test_the_number_of_generic_patients_can_be_limited(study):
    usable = usable_draws_by_subject([row for s in range(100, 200) for row in _rows(s, [s % 2], s)])
    settings = dataclasses.replace(study.populations, generic_patients=20)
    assert Counter(row["label"] for row in choose_generic_draws(usable, settings, 1)) == {0: 10, 1: 10}


def test_the_flow_ends_with_the_draws_that_are_used(tmp_path, study, people):
    _, generic, _, flow = _write(tmp_path, study, people)
    personal_draws = 25
    assert flow["steps"][-1]["draws"] == len(generic) + personal_draws
    assert flow["steps"][0]["draws"] == len(people) + 1


def test_flow_counts_review_overrides(tmp_path, study, people):
    people[0] |= {"review": "accept", "reason_before_review": "too few good beats"}
    people[1] |= {"review": "accept"}
    people[2] |= {"review": "accept", "reason_before_review": "too few good beats", "review_beats": "found"}
    people[-1] |= {"review": "reject", "reason": "rejected in review"}
    assert _write(tmp_path, study, people)[3]["reviewed"] == {
        "accepted": 2,
        "rejected": 1,
        "rescued": 1,
        "accepted_classes": {
            "positive": {"draws": 1, "value": [6, 6, 6]},
            "negative": {"draws": 1, "value": [4, 4, 4]},
        },
        "rejected_classes": {"negative": {"draws": 1, "value": [4, 4, 4]}},
    }


def test_every_draw_has_its_outcome(tmp_path, study, people):
    _, generic, _, flow = _write(tmp_path, study, people)
    outcomes = read_table(tmp_path / "outcomes.parquet", "outcomes").to_pylist()
    assert len(outcomes) == flow["steps"][0]["draws"]
    used = {row["draw_id"] for row in outcomes if row["reason"] is None and row["subject_id"] != 1}
    assert used == {row["draw_id"] for row in generic}
    assert [row["reason"] for row in outcomes if row["draw_id"] in (1, 2000)] == ["too few good beats", "no recording"]


@pytest.mark.parametrize("least", [11, None])
def test_without_a_personal_patient_there_are_generic_ones(tmp_path, study, people, least):
    populations, generic, personal, flow = _write(tmp_path, study, people, personal_min_draws=least)
    assert personal == []
    assert {row["population"] for row in populations} <= {"generic", None}
    assert len(generic) > 40
    assert flow["ends"]["personal"] == {"subjects": 0, "draws": 0}


def test_who_came_nearest_has_the_most_recorded_draws_of_the_rarer_class(tmp_path, study, people):
    *_, flow = _write(tmp_path, study, people)
    assert flow["nearest"][:2] == [
        {"subject_id": 1, "positive": 10, "negative": 10},
        {"subject_id": 2, "positive": 8, "negative": 8},
    ]


def test_draws_without_a_recording_bring_nobody_nearer():
    reasons = [None, "no recording", "more draws than needed", "too few good beats", "hemolyzed"]
    draws = [{"subject_id": 1, "label": label, "reason": reason} for label in (0, 1) for reason in reasons]
    assert find_nearest_to_personal(draws) == [{"subject_id": 1, "positive": 3, "negative": 3}]


def test_nobody_to_train_for_raises_one_line(tmp_path, study, people):
    told = r"nobody has 11 usable draws of each class \(subject 1 has the most, 10 positive and 10 negative\)"
    with pytest.raises(UserError, match=told):
        _write(tmp_path, study, people, imports_generic=True, personal_min_draws=11)


def test_a_study_that_imports_its_generic_network_needs_nobody_else(tmp_path, study, people):
    alone = [row for row in people if row["subject_id"] == 1]
    populations, generic, personal, flow = _write(tmp_path, study, alone, imports_generic=True)
    assert [(row["subject_id"], row["population"]) for row in populations] == [(1, "personal")]
    assert generic == []
    assert len(personal) == 25
    assert flow["ends"]["generic"]["subjects"] == 0
    populations, generic, *_ = _write(tmp_path, study, people, imports_generic=True)
    assert generic == []
    reasons = {row["reason"] for row in populations if row["population"] is None}
    assert reasons == {"generic network imported"}


def test_generic_split_without_a_class_raises_one_line(tmp_path, study, people):
    only_negative = [row for row in people if row["subject_id"] in (1, 3)]
    with pytest.raises(UserError, match=r"the generic .* split has no .* draw"):
        _write(tmp_path, study, only_negative)


def _both_and_single(seed=0):
    usable = {}
    for subject in range(60):
        labels = {0: [1, 1, 1, 0], 1: [1], 2: [0], 3: [1, 0, 0]}[subject % 4]
        usable[subject] = _rows(subject, labels, 10 * subject)
    return usable


def test_within_patients_people_contribute_equally_many_of_each_class(study):
    settings = dataclasses.replace(study.populations, generic_sampling="within_patients")
    rows = choose_generic_draws(_both_and_single(), settings, 1)
    count = {}
    for row in rows:
        count.setdefault(row["subject_id"], Counter())[row["label"]] += 1
    assert all(count[subject] == {1: 1, 0: 1} for subject in range(60) if subject % 4 in (0, 3))
    labels = Counter(row["label"] for row in rows)
    assert labels[0] == labels[1] == 45
    few = choose_generic_draws(_both_and_single(), dataclasses.replace(settings, generic_patients=40), 1)
    assert len({row["subject_id"] for row in few}) == 40


def test_within_patients_equals_between_patients_if_nobody_has_both_classes(study):
    usable = {s: mine for s, mine in _both_and_single().items() if s % 4 in (1, 2)}
    for generic_sampling in ("between_patients", "within_patients"):
        settings = dataclasses.replace(study.populations, generic_sampling=generic_sampling)
        assert len(choose_generic_draws(usable, settings, 1)) == 30


@pytest.mark.parametrize("generic_sampling", ["between_patients", "within_patients"])
def test_split_fractions_hold_within_each_class(study, generic_sampling):
    usable = {s: _rows(s, [1, 0] if s % 3 else [0], 10 * s) for s in range(6000)}
    settings = dataclasses.replace(study.populations, generic_sampling=generic_sampling)
    rows = choose_generic_draws(usable, settings, 1)
    for label in (1, 0):
        people = {row["subject_id"]: row["split"] for row in rows if row["label"] == label}
        counts = Counter(people.values())
        assert counts["train"] / len(people) == pytest.approx(0.6, abs=0.03)
        assert counts["validation"] / len(people) == pytest.approx(0.2, abs=0.03)
