import numpy as np
import pytest

from beat_shards import write_shard
from kalemia.beats.draw_summaries import summarize_beats
from kalemia.beats.generic_beats import write_generic_beats
from kalemia.beats.generic_mixed_model import read_generic_mixed_model, write_generic_mixed_model
from kalemia.core.tables import read_json, read_table
from kalemia.ecg.beat_measurements import MEASUREMENTS, measure_beats
from kalemia.stats.mixed_model import fit_mixed_model


def _generic(folder, labels_of):
    """The file of the beats of the generic patients, from the labels of each patient's draws."""
    shards = []
    for subject, labels in labels_of.items():
        shards.append(folder / f"p{subject}.parquet")
        write_shard(shards[-1], subject, labels, beats_per_draw=6)
    write_generic_beats(shards, "", folder / "generic.parquet")
    return folder / "generic.parquet"


def test_the_measures_of_a_draw_are_those_of_its_median_beat(tmp_path):
    beats = read_table(_generic(tmp_path, {1: [1, 0], 2: [0]}), "beats")
    ids, rr_ms = beats["draw_id"].to_numpy(), beats["rr_after_ms"].to_numpy()
    beats_mv = np.stack(beats["beat"].to_pylist()).astype(np.float32)
    draws = np.unique(ids)[::-1]
    mean_beat, measured = summarize_beats(draws, ids, beats_mv, rr_ms)
    assert (mean_beat.shape, measured.shape) == ((3, 60), (3, 6))
    own = ids == draws[0]
    expected = measure_beats(np.median(beats_mv[own], axis=0)[None], np.array([np.median(rr_ms[own])]))
    np.testing.assert_allclose(measured[:1], expected)


def test_the_model_is_of_all_draws_of_the_generic_patients_also_those_without_a_label(tmp_path):
    path = _generic(tmp_path, {subject: [1, None, 0] for subject in range(1, 7)})
    write_generic_mixed_model(path, "a-digest", tmp_path / "model.json")
    written = read_json(tmp_path / "model.json")
    assert (written["draws"], written["patients"], written["digest"]) == (18, 6, "a-digest")
    assert written["measures"] == list(MEASUREMENTS)

    beats = read_table(path, "beats")
    ids, first = np.unique(beats["draw_id"].to_numpy(), return_index=True)
    beats_mv = np.stack(beats["beat"].to_pylist()).astype(np.float32)
    _, measures = summarize_beats(ids, beats["draw_id"].to_numpy(), beats_mv, beats["rr_after_ms"].to_numpy())
    subjects, values = (beats[name].to_numpy()[first] for name in ("subject_id", "value"))
    expected = fit_mixed_model(subjects, measures, values.astype(np.float64))
    model = read_generic_mixed_model(tmp_path / "model.json")
    for name, value in vars(expected).items():
        np.testing.assert_allclose(getattr(model, name), value, rtol=1e-3, atol=1e-6)
    at = measures[:3]
    assert model.predict(at[:2], np.array([4.0, 6.0]), at) == pytest.approx(
        expected.predict(at[:2], np.array([4.0, 6.0]), at), abs=1e-3
    )


def test_too_few_draws_give_no_model_and_no_error(tmp_path):
    write_generic_mixed_model(_generic(tmp_path, {1: [1, 0], 2: [0]}), "", tmp_path / "model.json")
    assert read_generic_mixed_model(tmp_path / "model.json") is None
    assert read_json(tmp_path / "model.json")["draws"] == 3
