from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from kalemia.beats.dataset import BeatSet
from kalemia.explanation.occlusion import occlusion_rows
from kalemia.explanation.wave_windows import WAVES, wave_windows
from kalemia.network.predictions import beat_logits
from wave_reader import beats_with_t_wave, wave_reader

WINDOWS = wave_windows(800.0)


def t_wave_beats(labels=(1, 1, 0, 1, 0), beats_per_draw=3) -> BeatSet:
    """Draws whose T wave is high if their label is 1."""
    n = len(labels) * beats_per_draw
    of_beats = np.repeat(labels, beats_per_draw)
    beats_mv = beats_with_t_wave(np.where(of_beats == 1, 0.6, 0.2) + 0.01 * np.arange(n) / n)
    rows = {
        "subject_id": np.ones(n, np.int32),
        "draw_id": np.repeat(np.arange(len(labels)), beats_per_draw),
        "draw_time": [datetime(2150, 1, 1)] * n,
        "value": np.full(n, 5.0, np.float32),
        "label": of_beats.astype(np.int8),
    }
    return BeatSet(beats_mv, pa.table(rows), beats_mv)


def test_removing_the_t_wave_blinds_a_network_that_reads_only_it():
    rows = {row["wave"]: row for row in occlusion_rows(wave_reader(), t_wave_beats(), WINDOWS)}
    assert list(rows) == list(WAVES)
    assert (rows["T"]["auc"], rows["T"]["auc_without"]) == (1, pytest.approx(0.5, abs=0.25))
    assert rows["T"]["logit_change"] > 10 * max(rows[wave]["logit_change"] for wave in ("P", "QRS", "ST"))
    for wave in ("P", "QRS"):
        assert rows[wave]["logit_change"] == pytest.approx(0, abs=1e-6)
        assert rows[wave]["auc_without"] == 1
    assert (rows["T"]["n_test"], rows["T"]["n_positive"]) == (5, 3)


def test_a_drop_is_away_from_the_label_and_classes_have_equal_weight():
    model, beats = wave_reader(), t_wave_beats()
    (row,) = occlusion_rows(model, beats, {"T": WINDOWS["T"]})
    without = beats.inputs.copy()
    stop = WINDOWS["T"].stop - 1
    for beat in without:
        beat[WINDOWS["T"]] = np.linspace(beat[WINDOWS["T"].start], beat[stop], stop + 1 - WINDOWS["T"].start)
    lost = beat_logits(model, beats.inputs) - beat_logits(model, without)
    labels = beats.rows["label"].to_numpy()
    positive, negative = (lost[labels == label].mean(dtype=np.float64) for label in (1, 0))
    assert row["logit_drop"] == pytest.approx((positive - negative) / 2, rel=1e-4)
    assert row["logit_change"] == pytest.approx((positive + negative) / 2, rel=1e-4)
