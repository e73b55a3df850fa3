from dataclasses import dataclass

import numpy as np
import pytest

from kalemia.evaluation.claims.rule import MIN_PATIENTS
from kalemia.explanation.summary import (
    MAP_CHANGES,
    MAP_OPEN,
    MAP_UNCHANGED,
    Estimate,
    Summary,
    attention_share,
    auc_drop,
    change_share,
    depends_on_training,
    estimate,
    gradcam_occlusion_agreement,
    similarity,
)
from kalemia.report.explanation_findings import change_sentence, reference_sentence, sanity_row

SHARES = {"P": 0.1, "QRS": 0.2, "ST": 0.05, "T": 0.6, "rest": 0.05}
CHANGE = {"P": 0.1, "QRS": 1.0, "ST": 0.4, "T": 2.5}


def wave_rows(shares=SHARES, labels=(0, 1)):
    return [
        {
            "model": "paper",
            "stage": 4,
            "label": label,
            "wave": wave,
            "share": share + (0.02 * label if wave == "T" else 0),
        }
        for label in labels
        for wave, share in shares.items()
    ]


def occlusion_rows(change=CHANGE):
    return [
        {"arm": "paper", "model": "paper", "wave": wave, "auc": 0.9, "auc_without": 0.9 - by / 10, "logit_change": by}
        for wave, by in change.items()
    ]


def test_a_patients_share_is_the_mean_over_the_classes_that_have_a_map():
    assert attention_share(wave_rows(), "paper", 4, "T") == pytest.approx(0.61)
    empty = [row | {"share": np.nan} if row["label"] else row for row in wave_rows()]
    assert attention_share(empty, "paper", 4, "T") == pytest.approx(0.6)
    assert np.isnan(attention_share(wave_rows(), "generic", 4, "T"))


def test_what_is_lost_without_a_wave_is_told_as_a_share_and_as_auc():
    assert change_share(occlusion_rows(), "paper", "paper", "T") == pytest.approx(2.5 / 4)
    assert auc_drop(occlusion_rows(), "paper", "paper", "T") == pytest.approx(0.25)
    assert np.isnan(change_share(occlusion_rows(dict.fromkeys(CHANGE, 0.0)), "paper", "paper", "T"))


def test_two_opinions_agree_by_the_order_of_the_four_waves():
    agreement = gradcam_occlusion_agreement(wave_rows(), occlusion_rows(), "paper", "paper", 4)
    assert agreement == pytest.approx(0.8)  # P and ST differ
    same = occlusion_rows({"P": 0.1, "QRS": 1.0, "ST": 0.05, "T": 2.5})
    assert gradcam_occlusion_agreement(wave_rows(), same, "paper", "paper", 4) == pytest.approx(1)
    assert np.isnan(gradcam_occlusion_agreement(wave_rows(), [], "paper", "paper", 4))


def test_likeness_is_of_one_model_stage_and_check():
    rows = [
        {"model": "paper", "stage": stage, "label": label, "reference": against, "spearman": value, "ssim": 0.0}
        for stage, label, against, value in [
            (4, 0, "stem", 0.1),
            (4, 1, "stem", 0.3),
            (2, 0, "stem", 0.9),
            (4, 0, "head", 0.7),
        ]
    ]
    assert similarity(rows, "paper", 4, "stem") == pytest.approx(0.2)
    assert similarity(rows, "paper", 4, "stem", "ssim") == 0


def test_an_interval_resamples_patients():
    values = np.random.default_rng(1).standard_normal(40)
    found = estimate([*values, np.nan, None], 1, "a name")
    assert (found.mean, found.n) == (pytest.approx(values.mean()), 40)
    half_width = 1.96 * values.std() / np.sqrt(40)
    assert [found.low, found.high] == pytest.approx([found.mean - half_width, found.mean + half_width], abs=0.05)
    assert found == estimate(values, 1, "a name")
    other = estimate(values, 1, "another name")
    assert (found.low, found.high) != pytest.approx((other.low, other.high), rel=1e-6)


def test_one_patient_has_no_interval_and_nobody_no_mean():
    one, none = estimate([0.4], 1), estimate([], 1)
    assert (one.mean, one.n, np.isnan(one.low)) == (0.4, 1, True)
    assert np.isnan([none.low, none.high]).all()
    assert (np.isnan(none.mean), none.n) == (True, 0)


@pytest.mark.parametrize(("n", "at_least"), [(6, 0.88), (8, 0.9), (16, 0.91)])
def test_an_interval_over_few_patients_holds_the_mean_of_all(n, at_least):
    random = np.random.default_rng(n)
    found = [estimate(random.normal(0.5, 0.2, n), seed) for seed in range(400)]
    assert at_least <= np.mean([one.low <= 0.5 <= one.high for one in found]) <= 0.98


AGREEING = Estimate(0.9, 0.8, 0.95, MIN_PATIENTS)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.2, 0.4, MAP_CHANGES), (0.5, 0.9, MAP_UNCHANGED), (0.2, 0.7, MAP_OPEN), (np.nan, np.nan, MAP_OPEN)],
)
def test_a_map_that_does_not_change_is_called_so(low, high, said):
    assert depends_on_training(Estimate((low + high) / 2, low, high, MIN_PATIENTS), AGREEING) == said


@pytest.mark.parametrize("likeness", [Estimate(0.1, -0.2, 0.4, 12), Estimate(0.8, 0.6, 0.9, 12)])
def test_of_few_patients_or_of_halves_that_do_not_agree_no_change_is_told(likeness):
    assert depends_on_training(likeness, AGREEING) != MAP_OPEN
    few = Estimate(likeness.mean, likeness.low, likeness.high, MIN_PATIENTS - 1)
    assert depends_on_training(few, AGREEING) == MAP_OPEN
    assert depends_on_training(likeness, Estimate(0.9, 0.8, 0.95, MIN_PATIENTS - 1)) == MAP_OPEN
    assert depends_on_training(likeness, Estimate(0.7, 0.49, 0.9, 12)) == MAP_OPEN
    assert depends_on_training(likeness, Estimate(0.7, 0.5, 0.9, 12)) == depends_on_training(likeness, AGREEING)
    assert depends_on_training(likeness, estimate([], 1)) == MAP_OPEN


@dataclass(frozen=True)
class Patient:
    """A patient with checks of maps alone."""

    sanity: list
    waves: tuple = ()
    occlusion: tuple = ()
    projections: tuple = ()


def summary_of(n, **likeness):
    """Patients who differ by a hundredth, by model and by the rank correlation of its last map with each reference."""

    def rows(shift):
        return [
            {"model": model, "stage": 4, "label": 1, "reference": against, "spearman": value + shift, "ssim": value}
            for model, checks in likeness.items()
            for against, value in checks.items()
        ]

    return Summary([Patient(rows(shift)) for shift in np.linspace(-0.01, 0.01, n)], 1)


def test_the_words_on_maps_ask_for_patients_and_for_halves_that_agree():
    checks = {
        "generic": {"halves": 0.9, "stem": 0.1},
        "paper": {"halves": 0.4, "stem": 0.1},
        "forward": {"halves": 0.9, "stem": 0.8},
    }
    said = change_sentence(summary_of(8, **checks), list(checks), [4], "stem")
    assert said.startswith("All weights random: 1 of 3 maps change; unchanged")
    assert said.endswith(": forward in the last stage; open: paper in the last stage.")
    assert [sanity_row(summary_of(8, **checks), model, 4)["outcome"]["stem"] for model in checks] == [
        MAP_CHANGES,
        MAP_OPEN,
        MAP_UNCHANGED,
    ]
    few = change_sentence(summary_of(7, **checks), list(checks), [4], "stem")
    assert few.startswith("All weights random: 0 of 3 maps change; open: generic")


def test_the_yardstick_is_over_the_networks_that_have_one():
    summary = summary_of(8, generic={"stem": 0.1}, paper={"halves": 0.6}, forward={"halves": 0.9})
    assert np.isnan(summary.similarity("generic", 4, "halves").mean)
    assert "rank correlation of 0.60 to 0.90" in reference_sentence(summary, ["generic", "paper", "forward"], [4])
    assert "nan" not in reference_sentence(summary, ["generic"], [4])
