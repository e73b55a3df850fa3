import dataclasses

import numpy as np
import pytest
from scipy import stats
from test_metrics import draws_of

from kalemia.core.seeds import rng
from kalemia.evaluation import bootstrap
from kalemia.evaluation.bootstrap import (
    PatientResamples,
    count_draws,
    resample_draws,
    resample_patients,
    resample_test_draws,
)
from kalemia.evaluation.comparison import GENERIC, comparison_rows, metric_curves, resample_patients_of_arms
from kalemia.evaluation.metrics import metric_value, weighted_metric
from kalemia.evaluation.patient_scores import PatientArmScores


def test_every_resample_has_as_many_draws_of_each_class():
    draws = draws_of([1, 0, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0])
    places = resample_draws(draws, rng(1, "test"))
    assert places.shape == (bootstrap.REPLICATES, 5)
    assert (draws.labels[places].sum(axis=1) == 2).all()
    times = count_draws(places)
    assert (times.sum(axis=1) == 5).all()
    assert times[7].tolist() == [np.sum(places[7] == i) for i in range(5)]


def test_a_patient_drawn_twice_brings_two_resamples_of_draws():
    people = resample_patients((7, 8, 9), 1, "forward", None)
    assert people.patient_indices.shape == people.draw_resamples.shape == (bootstrap.REPLICATES, 3)
    twice = people.patient_indices[:, 0] == people.patient_indices[:, 1]
    assert twice.mean() == pytest.approx(1 / 3, abs=0.05)
    assert np.mean(people.draw_resamples[twice, 0] == people.draw_resamples[twice, 1]) < 0.01


def test_the_same_names_give_the_same_resamples_and_others_others():
    again = [
        resample_patients((7, 8, 9), 1, *names).patient_indices for names in (("a", None), ("a", None), ("a", "b"))
    ]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_the_interval_of_a_mean_by_hand():
    people = PatientResamples((1, 2), np.array([[0, 0], [0, 1], [1, 1]]), np.array([[0, 1], [2, 0], [1, 2]]))
    values = np.array([[0.0, 1.0, 2.0], [10.0, np.nan, 30.0]])
    means = [0.5, 6.0, 30.0]  # one value is unknown
    assert people.interval(values) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_one_patient_has_no_interval_over_patients():
    assert np.isnan(resample_patients((), 1, "a", None).interval(np.empty((0, 0)))).all()
    assert np.isnan(resample_patients((7,), 1, "a", None).interval(np.ones((1, bootstrap.REPLICATES)))).all()


def _study(random, n_patients, mean_apart, sd_apart, n_of_class):
    """Patients whose draws of both classes lie so many SDs apart, normally distributed, which varies over patients."""
    labels = np.array([1] * n_of_class + [0] * n_of_class)
    apart = random.normal(mean_apart, sd_apart, n_patients)
    return [draws_of(labels, random.normal(one * labels, 1)) for one in apart]


def _interval_of_mean_auc(study, random):
    resampled = np.array(
        [weighted_metric("auc", one, 0, None, count_draws(resample_draws(one, random))) for one in study]
    )
    return resample_patients(tuple(range(len(study))), int(random.integers(1 << 30)), "arm", None).interval(resampled)


@pytest.mark.slow
@pytest.mark.parametrize(("mean_apart", "sd_apart", "n_of_class"), [(1.0, 0.8, 6), (1.5, 0.4, 4), (1.0, 1.5, 15)])
def test_an_interval_for_95_in_100_covers_the_truth_in_90_to_99_at_16_patients(
    mean_apart, sd_apart, n_of_class, monkeypatch
):
    monkeypatch.setattr(bootstrap, "REPLICATES", 300)
    truth = stats.norm.cdf(mean_apart / np.sqrt(2 + sd_apart**2))  # the mean of the areas of all such patients
    random, covered = np.random.default_rng(16), []
    for _ in range(400):
        low, high = _interval_of_mean_auc(_study(random, 16, mean_apart, sd_apart, n_of_class), random)
        covered.append(low <= truth <= high)
    assert 0.90 <= np.mean(covered) <= 0.99


def test_arms_that_test_the_same_draws_resample_the_same(monkeypatch):
    monkeypatch.setattr(bootstrap, "REPLICATES", 50)
    draws = draws_of([1, 0, 1, 0, 1, 0], np.arange(6.0))
    everything, fewer = np.ones(6, bool), np.array([True] * 4 + [False] * 2)
    one, other, without = (
        resample_test_draws(PatientArmScores(arm, 7, draws, test), 1)
        for arm, test in (("one", everything), ("other", everything), ("other", fewer))
    )
    assert np.array_equal(one, other)
    assert not np.array_equal(one[:, :2], without[:, :2])


APART, VARIES, GAINS = 1.0, 0.8, {"one": 0.8, "other": 0.3}  # SDs between the classes; what a round adds in each arm


def _trials(random, n_patients):
    """Two arms of the same patients and tests, two rounds each; half of a score's variance is the draw's own."""
    labels, trials = np.repeat([1, 0], 6), []
    for subject in range(n_patients):
        before, of_draws = random.normal(APART, VARIES), random.normal(0, np.sqrt(0.5), 12)
        generic = before * labels + of_draws + random.normal(0, np.sqrt(0.5), 12)
        for arm, gain in GAINS.items():
            after = random.normal(before + gain, VARIES) * labels + of_draws + random.normal(0, np.sqrt(0.5), 12)
            draws = dataclasses.replace(draws_of(labels, generic), logit=np.array([generic, after]))
            trials.append(PatientArmScores(arm, subject, draws, np.ones(12, bool)))
    return trials


def _true_auc(gain):
    varies = VARIES**2 * (2 if gain else 1)
    return stats.norm.cdf((APART + gain) / np.sqrt(2 + varies))


def test_intervals_of_paired_differences_of_rounds_and_of_arms_cover_the_truth(monkeypatch):
    monkeypatch.setattr(bootstrap, "REPLICATES", 200)
    after = {arm: _true_auc(gain) for arm, gain in GAINS.items()}
    truth = {("one", GENERIC): after["one"] - _true_auc(0), ("one", "other"): after["one"] - after["other"]}
    random, covered = np.random.default_rng(17), {names: [] for names in truth}
    for seed in range(100):
        trials = _trials(random, 16)
        times = [count_draws(resample_test_draws(trial, seed)) for trial in trials]
        curves = {arm: metric_curves(trials, times, arm, None, "auc", 2) for arm in GAINS}
        for row in comparison_rows(None, "auc", curves, resample_patients_of_arms(trials, list(GAINS), seed)):
            names = row["arm"], row["reference"]
            if names in truth:
                covered[names].append(row["low"] <= truth[names] <= row["high"])
    for names, held in covered.items():
        assert len(held) == 100
        assert 0.90 <= np.mean(held) <= 0.99, names


def test_the_interval_narrows_with_patients_and_with_draws(monkeypatch):
    monkeypatch.setattr(bootstrap, "REPLICATES", 500)

    def width(n_patients, n_of_class):
        random = np.random.default_rng(5)
        widths = []
        for _ in range(20):
            low, high = _interval_of_mean_auc(_study(random, n_patients, 1.0, 0.3, n_of_class), random)
            widths.append(high - low)
        return np.mean(widths)

    assert width(40, 4) < 0.7 * width(12, 4)
    assert width(12, 16) < 0.8 * width(12, 4)


def test_a_metric_of_a_resample_is_that_of_its_draws():
    draws = draws_of([1, 1, 1, 0, 0], [2.0, 1.0, -1.0, 1.5, -1.0])
    places = resample_draws(draws, rng(3, "test"))
    by_times = weighted_metric("auc", draws, 0, None, count_draws(places))
    for replicate in range(5):
        mine = places[replicate]
        again = draws_of(draws.labels[mine], draws.logit[0][mine])
        assert by_times[replicate] == pytest.approx(metric_value("auc", again, 0, None))
