"""How the analyte goes with the ECG's measures in the generic patients, and how patients differ in that."""

from pathlib import Path

import numpy as np

from kalemia.beats.draw_summaries import summarize_beats
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.core.tables import read_json, read_row_groups, write_json
from kalemia.ecg.beat_measurements import MEASUREMENTS
from kalemia.stats.mixed_model import MixedModel, fit_mixed_model

_LEAST_DRAWS = len(MEASUREMENTS) + 3  # that a fit takes
_COLUMNS = ["subject_id", "draw_id", "value", "rr_after_ms", "beat"]


def write_generic_mixed_model(beats_path: str | Path, digest: str, path: str | Path) -> None:
    """Fit `fit_mixed_model` to all draws of the generic patients, whatever their class, and write it as JSON.

    beats_path: as `write_generic_beats` writes it. With fewer than nine draws there is no model, and a null in its
    place. Raises `UserError` as `tables.read_row_groups`.
    """
    parts = [(np.zeros(0, np.int64), np.zeros((0, len(MEASUREMENTS))), np.zeros(0))]
    parts += [_read_draws(table) for table in read_row_groups(beats_path, "beats", _COLUMNS) if len(table)]
    subjects, measures, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    known = np.isfinite(values) & np.isfinite(measures).all(axis=1)
    model = None
    if known.sum() >= _LEAST_DRAWS:
        fitted = fit_mixed_model(subjects[known], measures[known], values[known])
        model = {name: np.asarray(getattr(fitted, name)).tolist() for name in MixedModel.__dataclass_fields__}
    counts = {"draws": int(known.sum()), "patients": len(np.unique(subjects[known]))}
    write_json(path, {"digest": digest, "measures": list(MEASUREMENTS), "model": model} | counts)


def read_generic_mixed_model(path: str | Path) -> MixedModel | None:
    """Read it back; None if there were too few draws. Raises `UserError` as `tables.read_json`."""
    model = read_json(path)["model"]
    return model and MixedModel(**{name: np.array(value) for name, value in model.items()})


def _read_draws(table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The subject (n,), measures (n, 6) and value (n,) of each draw in a row group of beats."""
    draw_ids, first = np.unique(table["draw_id"].to_numpy(), return_index=True)
    beats_mv = table["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
    _, measures = summarize_beats(draw_ids, table["draw_id"].to_numpy(), beats_mv, table["rr_after_ms"].to_numpy())
    values = table["value"].to_numpy(zero_copy_only=False)[first].astype(np.float64)
    return table["subject_id"].to_numpy()[first], measures, values
