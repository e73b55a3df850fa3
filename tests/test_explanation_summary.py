import numpy as np
import pytest

from kalemia.explanation_summary import (
    CHANGES,
    STAYS,
    UNKNOWN,
    Estimate,
    attention_share,
    auc_drop,
    change_share,
    dependence,
    estimate,
    opinions_agree,
    similarity,
)

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
    assert opinions_agree(wave_rows(), occlusion_rows(), "paper", "paper", 4) == pytest.approx(0.8)  # P and ST differ
    same = occlusion_rows({"P": 0.1, "QRS": 1.0, "ST": 0.05, "T": 2.5})
    assert opinions_agree(wave_rows(), same, "paper", "paper", 4) == pytest.approx(1)
    assert np.isnan(opinions_agree(wave_rows(), [], "paper", "paper", 4))


def test_likeness_is_of_one_model_stage_and_check():
    rows = [
        {"model": "paper", "stage": stage, "label": label, "against": against, "spearman": value, "ssim": 0.0}
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
    assert found != estimate(values, 1, "another name")


def test_one_patient_has_no_interval_and_nobody_no_mean():
    one, none = estimate([0.4], 1), estimate([], 1)
    assert (one.mean, one.n, np.isnan(one.low)) == (0.4, 1, True)
    assert (np.isnan(none.mean), none.n) == (True, 0)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.2, 0.4, CHANGES), (0.5, 0.9, STAYS), (0.2, 0.7, UNKNOWN), (np.nan, np.nan, UNKNOWN)],
)
def test_a_map_that_does_not_change_is_called_so(low, high, said):
    assert dependence(Estimate((low + high) / 2, low, high, 6)) == said
