import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.negative_controls import NEGATIVE_CONTROLS, TRAINED, chunks_of_runs
from kalemia.core.wording import display_name


def test_flags_choose_the_kinds_that_other_modules_walk():
    assert TRAINED[:3] == ("shuffled", "shifted", "between_beats")
    assert "stranger" not in TRAINED


def test_every_description_is_one_sentence_and_every_label_an_own_one():
    for control in NEGATIVE_CONTROLS.values():
        assert control.doc.endswith(".")
        assert control.doc.count(".") == 1
        assert not control.if_matched.endswith(".")
    assert len({control.label for control in NEGATIVE_CONTROLS.values()}) == len(NEGATIVE_CONTROLS)


def test_pages_print_the_label_of_a_negative_control():
    assert [display_name(name) for name in ("between_beats", "platt_offset", "ecg_measures")] == [
        "TP-segment", "Platt offset", "ECG measures",
    ]  # fmt: skip


_NUMBERS_OF_RUNS = st.dictionaries(st.sampled_from(list(TRAINED)), st.integers(0, 40))


@pytest.mark.parametrize(
    ("n_runs", "chunks"),
    [
        ({}, {}),
        ({"shuffled": 0}, {}),
        ({"shifted": 2, "shuffled": 2}, {"first": {"shuffled": range(2), "shifted": range(2)}}),
        (
            {"shuffled": 3, "shifted": 19},
            {
                "first": {"shuffled": range(3), "shifted": range(3)},
                "shifted-3": {"shifted": range(3, 10)},
                "shifted-10": {"shifted": range(10, 19)},
            },
        ),
        ({"shifted": 10}, {"first": {"shifted": range(3)}, "shifted-3": {"shifted": range(3, 10)}}),
    ],
)
def test_few_runs_are_one_chunk_and_many_are_chunks_of_one_control(n_runs, chunks):
    assert chunks_of_runs(n_runs) == chunks


@given(_NUMBERS_OF_RUNS)
def test_every_run_is_in_one_chunk_and_chunks_are_small(n_runs):
    chunks = chunks_of_runs(n_runs)
    runs = [(kind, repeat) for chunk in chunks.values() for kind, repeats in chunk.items() for repeat in repeats]
    assert sorted(runs) == sorted((kind, repeat) for kind, n in n_runs.items() for repeat in range(n))
    for name, chunk in chunks.items():
        assert all(0 < len(repeats) <= (3 if name == "first" else 10) for repeats in chunk.values())
        assert name == "first" or len(chunk) == 1


@given(_NUMBERS_OF_RUNS, st.sampled_from(list(TRAINED)), st.integers(1, 40))
def test_more_runs_of_a_control_change_only_the_chunk_that_is_not_full(n_runs, kind, more):
    before = chunks_of_runs(n_runs)
    after = chunks_of_runs(n_runs | {kind: n_runs.get(kind, 0) + more})
    changed = [name for name, runs in before.items() if after[name] != runs]
    assert len(changed) <= 1
    assert all(before[name].get(kind, range(0)).stop == n_runs.get(kind, 0) for name in changed)
