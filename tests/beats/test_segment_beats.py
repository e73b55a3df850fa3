import dataclasses

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecg_signals import clean_ecg, regular_r_samples
from excerpt_rows import FROM, N, excerpt
from kalemia.beats.review_decisions import ReviewDecision
from kalemia.beats.segment_beats import (
    BeatSettings,
    assess_row,
    choose_spread_beats,
    extract_beats,
    write_beats,
)
from kalemia.cohort.inclusion_flow import REASONS
from kalemia.core.schemas import R_INDEX
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.ecg.assess_excerpt import cut_beats
from kalemia.simulate.heartbeats import beats_of_draw
from kalemia.simulate.physiology import random_heart
from severe_shapes import severe_heart


def _written(tmp_path, study, *excerpts, decisions=None, **of_beats):
    write_table(tmp_path / "e.parquet", "excerpts", table_from_rows("excerpts", list(excerpts)))
    settings = dataclasses.replace(BeatSettings.from_study(study), beats=dataclasses.replace(study.beats, **of_beats))
    write_beats(tmp_path / "e.parquet", settings, decisions or {}, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    return read_table(tmp_path / "b.parquet", "beats"), read_table(tmp_path / "q.parquet", "quality").to_pylist()


def test_r_peak_is_at_index_40(tmp_path, study):
    shard, _ = _written(tmp_path, study, excerpt(1))
    beats_mv = np.array(shard["beat"].to_pylist())
    assert beats_mv.shape == (200, 120)
    assert set(beats_mv.argmax(axis=1)) == {R_INDEX} == {40}


def test_a_beat_can_be_traced_to_its_samples(tmp_path, study):
    shard, _ = _written(tmp_path, study, excerpt(1))
    for row in shard.select(["r_sample", "segment", "recording"]).to_pylist():
        assert (row["r_sample"] - FROM - 60) % 100 == 0
        assert row["segment"] == ("3000000_0001" if row["r_sample"] < FROM + 40_000 else "3000000_0002")
        assert row["recording"].endswith("p000007-2150-01-01-00-00")


def test_intervals_are_in_milliseconds(tmp_path, study):
    shard, quality = _written(tmp_path, study, excerpt(1))
    assert set(shard["rr_before_ms"].to_pylist()) == {800.0}
    assert quality[0]["heart_rate_bpm"] == 75.0


def test_shard_has_one_row_group_per_draw(tmp_path, study):
    _written(tmp_path, study, excerpt(1), excerpt(2))
    metadata = pq.read_metadata(tmp_path / "b.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [200, 200]


def test_kept_and_rejected_beats_add_up(tmp_path, study):
    _, (row,) = _written(tmp_path, study, excerpt(1))
    assert row["n_kept"] == 200
    assert row["n_good"] + sum(count for _, count in row["rejection_counts"]) == row["n_r_peaks"]
    assert row["recorded_s"] == (N - 1000) / 125


def test_a_draw_without_ecg_keeps_its_reason(tmp_path, study):
    shard, (row,) = _written(tmp_path, study, excerpt(1, ecg_mv=None, reason="no lead"))
    assert (len(shard), row["n_kept"], row["reason"]) == (0, 0, "no lead")


def test_a_draw_with_too_few_beats_is_excluded(tmp_path, study):
    short = excerpt(1)
    short["ecg_mv"][5000:] = np.nan
    shard, (row,) = _written(tmp_path, study, short)
    assert (len(shard), row["reason"]) == (0, "too few R peaks")


def test_noise_is_excluded_with_its_reason(tmp_path, study):
    noise_mv = np.random.default_rng(1).normal(size=N).astype(np.float32)
    shard, (row,) = _written(tmp_path, study, excerpt(1, ecg_mv=noise_mv))
    assert (len(shard), row["reason"]) == (0, "too few good beats")


def test_beat_beyond_the_ecg_is_incomplete():
    beats_mv = cut_beats(np.ones(200, np.float32), np.array([39, 40, 120, 121]))
    assert np.isfinite(beats_mv).all(axis=1).tolist() == [False, True, True, False]


def test_best_beats_of_each_tenth_are_chosen():
    quality = np.array([0.9, 0.8, 0.99, 0.97, 0.5])
    position = np.array([0.01, 0.02, 0.55, 0.56, 0.95])
    assert choose_spread_beats(quality, position, 3).tolist() == [0, 2, 4]
    assert choose_spread_beats(quality, position, 4).tolist() == [0, 1, 2, 4]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=50), st.integers(1, 60))
def test_chosen_beats_are_distinct_and_as_many_as_allowed(items, most):
    quality, position = np.array(items).reshape(-1, 2).T
    chosen = choose_spread_beats(quality, position, most)
    assert len(set(chosen.tolist())) == len(chosen) == min(most, len(items))
    assert (np.diff(chosen) > 0).all()


@st.composite
def _anything(draw):
    """Any array at all, or an ECG in which any samples may be anything."""
    sample = st.floats(width=32) | st.sampled_from([0.0, 1.0, float("nan"), float("inf"), 3e38])
    if draw(st.booleans()):
        return draw(hnp.arrays(np.float32, st.integers(0, 400), elements=sample))
    n = draw(st.integers(0, 12_000))
    ecg_mv = clean_ecg(regular_r_samples(n, draw(st.integers(30, 200))), n) * draw(st.sampled_from([-1, 1e-6, 1, 50]))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, max(n, 1)))
        ecg_mv[start : start + draw(st.integers(1, 3000))] = draw(sample)
    return ecg_mv.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(ecg_mv=_anything())
def test_any_array_gives_beats_or_a_reason(study, ecg_mv):
    everything = BeatSettings.from_study(study)
    everything = dataclasses.replace(everything, beats=dataclasses.replace(study.beats, min_per_draw=1))
    ((shard, row),) = extract_beats([(excerpt(1), ecg_mv)], everything, {})
    assert (row["reason"] in REASONS) if not len(shard) else row["reason"] is None
    assert np.isfinite(np.array(shard["beat"].to_pylist(), float)).all()
    assert row["n_good"] + sum(count for _, count in row["rejection_counts"]) == row["n_r_peaks"]
    assert 0 <= row["quality"] <= 1


@pytest.mark.parametrize("sign", [-1, 1])
def test_reversed_polarity_reverses_the_beats_only(tmp_path, study, sign):
    shard, _ = _written(tmp_path, study, excerpt(1, ecg_mv=sign * excerpt(1)["ecg_mv"]))
    assert set((sign * np.array(shard["beat"].to_pylist())).argmax(axis=1)) == {R_INDEX}
    assert (np.array(shard["r_sample"].to_pylist()) - FROM - 60).tolist() == sorted(
        (np.array(shard["r_sample"].to_pylist()) - FROM - 60) // 100 * 100
    )


def test_review_decision_overrides_the_verdict(tmp_path, study):
    irregular = np.cumsum(np.random.default_rng(5).integers(50, 130, 900))
    excerpts = [excerpt(1), excerpt(2, ecg_mv=clean_ecg(irregular[irregular < N], N)), excerpt(3)]
    said = {1: ReviewDecision("reject", "AB", "lead off"), 2: ReviewDecision("accept", "AB", "")}
    _, rows = _written(tmp_path, study, *excerpts, decisions=said)
    assert [row["reason_before_review"] for row in rows] == [None, "atrial fibrillation in the ECG", None]
    assert [row["reason"] for row in rows] == ["rejected in review", None, None]
    assert [row["review"] for row in rows] == ["reject", "accept", None]
    assert [row["n_kept"] for row in rows] == [0, 200, 200]


def test_accepting_an_excerpt_without_marks_keeps_the_reason(tmp_path, study, caplog):
    silence, no_lead = excerpt(1, ecg_mv=np.zeros(N, np.float32)), excerpt(2, ecg_mv=None, reason="no lead")
    caplog.set_level("WARNING", "kalemia")
    said = dict.fromkeys((1, 2), ReviewDecision("accept", "AB", ""))
    shard, rows = _written(tmp_path, study, silence, no_lead, decisions=said)
    assert (len(shard), [row["reason"] for row in rows]) == (0, ["too few R peaks", "no lead"])
    assert [row["review_beats"] for row in rows] == [None, None]
    assert "subject 7, draw 2: cannot be accepted, because it has no ECG (no lead)" in caplog.messages[-1]


def _rejecting_all(study):
    """The study with checks that reject every beat, as they do those of the most severe ECGs."""
    return dataclasses.replace(study, quality=dataclasses.replace(study.quality, rr_range_ms=(0.0, 100.0)))


def test_a_lost_draw_that_is_accepted_comes_back_with_the_beats_found_and_its_label(tmp_path, study):
    lost, kept = excerpt(1, value=8.2), excerpt(2, value=8.2)
    said = {2: ReviewDecision("accept", "AB", "no P, broad QRS")}
    shard, rows = _written(tmp_path, _rejecting_all(study), lost, kept, decisions=said)
    assert [row["n_good"] for row in rows] == [0, 0]
    assert [row["reason"] for row in rows] == ["too few good beats", None]
    assert [row["reason_before_review"] for row in rows] == ["too few good beats"] * 2
    assert [(row["review"], row["review_beats"]) for row in rows] == [(None, None), ("accept", "found")]
    assert [row["n_kept"] for row in rows] == [0, 200]
    assert set(shard["draw_id"].to_pylist()) == {2}
    assert set(shard["label"].to_pylist()) == {1}
    assert set(np.array(shard["beat"].to_pylist()).argmax(axis=1)) == {R_INDEX}


def test_marks_that_a_reviewer_sets_become_the_beats(tmp_path, study):
    """Clicks are some 20 ms off; the excerpt has R peaks at 60, 160, 260 samples of 8 ms."""
    marks_s = tuple((60 + 100 * i) * 0.008 + (-1) ** i * 0.02 for i in range(3, 15))
    said = {1: ReviewDecision("accept", "AB", "T taller than R", marks_s)}
    shard, (row,) = _written(tmp_path, _rejecting_all(study), excerpt(1), decisions=said)
    assert (row["n_r_peaks"], row["n_kept"], row["review_beats"], row["reason"]) == (12, 12, "set", None)
    assert row["reason_before_review"] == "too few good beats"
    assert (np.array(shard["r_sample"].to_pylist()) - FROM).tolist() == [60 + 100 * i for i in range(3, 15)]
    assert shard["rr_after_ms"].to_pylist()[:-1] == [800.0] * 11
    assert row["heart_rate_bpm"] == 75


def test_the_beats_of_an_accepted_draw_are_marked_as_in_the_draw_before(tmp_path, study):
    study = dataclasses.replace(study, quality=dataclasses.replace(study.quality, rr_range_ms=(700.0, 900.0)))
    faster = -0.9 * clean_ecg(regular_r_samples(N, 70), N) + clean_ecg(
        regular_r_samples(N, 70) + 6, N
    )  # deep Q, lower R
    said = {2: ReviewDecision("accept", "AB", "")}
    shard, rows = _written(tmp_path, study, excerpt(1), excerpt(2, ecg_mv=faster.astype(np.float32)), decisions=said)
    assert [row["fiducial_draw_id"] for row in rows] == [1, 1]
    assert (rows[1]["n_good"], rows[1]["n_kept"], rows[1]["review_beats"]) == (0, 200, "found")
    of_second = np.array(shard.filter(pc.equal(shard["draw_id"], 2))["beat"].to_pylist())
    assert (of_second[:, R_INDEX] > of_second[:, [R_INDEX - 2, R_INDEX + 2]].max(axis=1)).all()  # a peak, upward


@pytest.mark.parametrize("shape", ["T three times R", "sine wave"])
def test_a_severe_draw_comes_back_by_the_marks_of_ten_seconds(tmp_path, study, shape):
    heart = severe_heart(shape, 1, seconds=N / 125)
    r_s = heart.r_s[(heart.r_s > 100) & (heart.r_s < 110)]
    said = {1: ReviewDecision("accept", "AB", shape, tuple(r_s.tolist()))}
    lost = excerpt(1, ecg_mv=heart.ecg_mv, value=8.9)
    shard, (row,) = _written(tmp_path, _rejecting_all(study), lost, decisions=said)
    assert (row["n_good"], row["n_kept"], row["reason"]) == (0, len(r_s), None)
    assert set(shard["label"].to_pylist()) == {1}
    from_marks_s = (np.array(shard["r_sample"].to_pylist()) - FROM) / 125 - r_s
    assert np.ptp(from_marks_s) <= 0.024  # the same wave of each beat
    if shape == "T three times R":
        assert np.abs(from_marks_s).max() <= 0.008


def test_marks_where_nothing_was_recorded_keep_nothing(tmp_path, study):
    marks_s = (321.0, 322.0, 323.0, 324.0, 325.0, 30.72)
    said = {1: ReviewDecision("accept", "AB", "", tuple(sorted(marks_s)))}
    shard, (row,) = _written(tmp_path, study, excerpt(1), decisions=said)
    assert (len(shard), row["n_kept"], row["reason"]) == (0, 0, "too few good beats")


def _short_excerpt(draw_id: int, potassium: int, seed: int) -> dict:
    """A minute of one heart at some potassium."""
    heart = random_heart(np.random.default_rng(7), 1.0, fibrillates=False)
    beats = beats_of_draw(heart, potassium, 1.0, 0.0, 60.0, np.random.default_rng(seed))
    ecg_mv = beats.ecg_mv(7500, np.ones((1, 5)))[0] + np.random.default_rng(seed).normal(scale=0.02, size=7500)
    return excerpt(draw_id, ecg_mv=ecg_mv.astype(np.float32))


@settings(max_examples=15, deadline=None)
@given(
    potassium=st.lists(st.integers(4, 10), min_size=2, max_size=4),
    later=st.lists(st.integers(4, 10), max_size=2),
    n_kept=st.integers(1, 3),
)
def test_no_later_draw_changes_the_beats_of_an_earlier_one(study, potassium, later, n_kept):
    of_study = BeatSettings.from_study(study)
    of_study = dataclasses.replace(of_study, beats=dataclasses.replace(study.beats, min_per_draw=20))

    def extracted(levels):
        rows = [_short_excerpt(i + 1, level, seed=i) for i, level in enumerate(levels)]
        return [
            (beats.to_pylist(), row) for beats, row in extract_beats([(e, e["ecg_mv"]) for e in rows], of_study, {})
        ]

    n_kept = min(n_kept, len(potassium))
    assert repr(extracted(potassium)[:n_kept]) == repr(extracted([*potassium[:n_kept], *later])[:n_kept])


def test_the_first_draw_that_passes_determines_the_wave(tmp_path, study, caplog):
    silence = excerpt(1, ecg_mv=np.zeros(N, np.float32))
    deep_s, tall_r = (severe_heart(shape, 1, N / 125).ecg_mv for shape in ("QRS 160 ms, deep S", "normal"))
    excerpts = [silence, excerpt(2, ecg_mv=tall_r), excerpt(3, ecg_mv=deep_s), excerpt(4, ecg_mv=-tall_r)]
    shard, rows = _written(tmp_path, study, *reversed(excerpts))
    assert [row["draw_id"] for row in rows] == [1, 2, 3, 4]
    assert [row["fiducial_draw_id"] for row in rows] == [1, 2, 2, 2]
    assert [row["fiducial"] for row in rows] == [None, "R", "R", "S"]
    assert [row["fiducial_found"] for row in rows] == [True, True, True, False]
    assert [row["reason"] for row in rows] == ["too few R peaks", None, None, None]
    assert min(row["fiducial_confidence"] for row in rows[1:3]) > 0.6
    assert rows[3]["fiducial_confidence"] < 0.5
    assert set(shard["fiducial"].to_pylist()) == {"R", "S"}
    assert "a different wave than in the other draws is marked in draws [4]" in caplog.text


def test_a_row_of_the_quality_table_is_assessed_again_as_it_was(tmp_path, study):
    deep_s, tall_r = (severe_heart(shape, 1, N / 125).ecg_mv for shape in ("QRS 160 ms, deep S", "normal"))
    _, rows = _written(tmp_path, study, excerpt(1, ecg_mv=deep_s), excerpt(2, ecg_mv=tall_r))
    excerpts = read_table(tmp_path / "e.parquet", "excerpts")
    for row in rows:
        assessment = assess_row(excerpts, row, BeatSettings.from_study(study), {})
        assert np.median(assessment.fiducials.confidence) == pytest.approx(row["fiducial_confidence"], rel=1e-6)
        assert np.count_nonzero(assessment.beat_labels.is_good) == row["n_good"]


def test_samples_after_the_next_onset_can_be_masked(tmp_path, study):
    fast = excerpt(1, ecg_mv=clean_ecg(regular_r_samples(N, 60), N))
    masked, _ = _written(tmp_path, study, fast, mask_next_beat=True)
    beats_mv = np.array(masked["beat"].to_pylist())
    onset = R_INDEX + 60 - 25
    assert (beats_mv[:, onset:] == beats_mv[:, [onset - 1]]).all()
    as_it_is, _ = _written(tmp_path, study, fast)
    np.testing.assert_array_equal(beats_mv[:, :onset], np.array(as_it_is["beat"].to_pylist())[:, :onset])
