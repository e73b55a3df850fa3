"""What a model says about an ECG."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from beat_shards import NETWORK
from ecg_signals import regular_ecg
from kalemia import find_beats, load_model
from kalemia.stats.logistic_regression import sigmoid
from model_folders import CALIBRATION, write_model


@pytest.fixture
def model(tmp_path):
    return load_model(write_model(tmp_path / "model", wave=None))


@pytest.fixture(scope="module")
def ecg_mv():
    """Ten minutes at 125 Hz."""
    return regular_ecg(125, 600).astype(np.float32)


def test_a_window_has_a_probability_a_decision_and_a_set(model, ecg_mv):
    result = model.assess_window(ecg_mv)
    assert result.reason is None
    assert result.n_beats == len(result.beats) == 200
    assert result.heart_rate_bpm == pytest.approx(75)
    assert result.probability == pytest.approx(float(sigmoid(result.logit)))
    assert result.calibrated_probability == CALIBRATION.probability(result.logit)
    assert result.prediction_set == CALIBRATION.prediction_set(result.logit)
    assert result.decision in (0, 1)
    assert result.mean_beat_mv.argmax() == 40


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        (np.full(75000, np.nan, np.float32), "gap"),
        (np.zeros(75000, np.float32), "too few R peaks"),
        (np.random.default_rng(1).standard_normal(75000).astype(np.float32), "too few good beats"),
        (np.zeros(0, np.float32), "gap"),
    ],
)
def test_it_abstains_with_a_reason(model, window, reason):
    result = model.assess_window(window)
    assert (result.reason, result.logit, result.probability, result.decision) == (reason, None, None, None)
    assert result.prediction_set is None
    assert result.mean_beat_mv is None
    assert len(result.beats) == 0


def test_a_row_of_predict_is_a_window(model, ecg_mv):
    silent = np.full(75000, np.nan, np.float32)
    table = model.predict(np.concatenate([ecg_mv, silent, ecg_mv[:40000]]), 125)
    assert table["start_s"].to_pylist() == [0, 600, 1200]
    assert table["reason"].to_pylist() == [None, "gap", None]
    assert table["probability"][0].as_py() == model.assess_window(ecg_mv).probability
    assert table["probability"][2].as_py() == model.assess_window(ecg_mv[:40000]).probability


def test_a_short_remainder_belongs_to_the_last_window(model, ecg_mv):
    table = model.predict(np.concatenate([ecg_mv, ecg_mv[:30000]]), 125)
    assert table["start_s"].to_pylist() == [0]


def test_another_rate_gives_nearly_the_same(model):
    once, again = (model.predict(regular_ecg(rate_hz, 600), rate_hz) for rate_hz in (125, 500))
    assert once["logit"][0].as_py() == pytest.approx(again["logit"][0].as_py(), abs=0.05)


def test_beats_have_the_probabilities_that_make_the_windows_logit(model, ecg_mv):
    beats = find_beats(ecg_mv, 125, lead="ii")
    probabilities = model.predict_proba(beats)
    assert np.array_equal(np.isfinite(probabilities), beats.is_good)
    kept = model.assess_window(ecg_mv).beats
    beats_mv = np.array(kept["beat"].to_pylist(), np.float32)
    logits = np.log(model.predict_proba(beats_mv)) - np.log1p(-model.predict_proba(beats_mv))
    assert logits.mean() == pytest.approx(model.assess_window(ecg_mv).logit, abs=1e-9)


def test_beats_of_another_lead_or_shape_are_refused(model, ecg_mv):
    with pytest.raises(ValueError, match="of lead V5; this model has learned from lead II"):
        model.predict_proba(find_beats(ecg_mv, 125, lead="V5"))
    with pytest.raises(ValueError, match=r"\(n, 120\); these have \(3, 60\)"):
        model.predict_proba(np.zeros((3, 60)))


def test_kalemia_is_imported_in_a_tenth_of_a_second_and_without_torch():
    """The best of five, because other processes may be at work; what Python itself takes is not counted."""
    code = (
        "import sys, time; start = time.perf_counter(); import kalemia; print(time.perf_counter() - start);"
        "assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)"
    )
    seconds = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    assert min(seconds) < 0.1


def test_a_model_that_normalizes_over_a_subject_goes_on_after_a_window(tmp_path, ecg_mv):
    network = dataclasses.replace(NETWORK, normalization="subject")
    model = load_model(write_model(tmp_path / "subject", network=network, wave=None))
    result = model.assess_window(ecg_mv)
    later = model.after(result)
    assert later.config.sums.n == model.config.sums.n + 120 * result.n_beats
    before, after = model.assess_window(2 * ecg_mv), later.assess_window(2 * ecg_mv)
    assert abs(before.logit - after.logit) > 1e-6
    assert model.after(model.assess_window(np.zeros(75000))) is model
