"""Alerts, where the windows of a recording are positive, and alarms of drift."""

import numpy as np
import pyarrow as pa

from kalemia.core.tables import table_from_rows
from kalemia.core.wording import RESEARCH_USE
from kalemia.models.model_config import ModelConfig
from kalemia.monitor.drift import DRIFT_ABOVE
from kalemia.monitor.episodes import Episode, find_episodes
from kalemia.monitor.windows import Record

ALERT, DRIFT = "alert", "drift alarm"
RELEASE = 0.1  # an alert ends at probabilities this much below the threshold


def find_alerts(windows: pa.Table, config: ModelConfig, record: Record) -> pa.Table:
    """A table of kind "monitor_alerts" from one of kind "monitor", sorted by onset.

    A window is high if its decision is positive, and low if it is negative with a probability more than `RELEASE` below
    the model's threshold. It has drifted if its drift is above `DRIFT_ABOVE`.
    """
    stop_s = windows["stop_s"].to_numpy()
    probability, decision, drift = (_numbers(windows, name) for name in ("probability", "decision", "drift"))
    is_low = (decision == 0) & (probability < config.threshold - RELEASE)
    alerts = find_episodes(stop_s, decision == 1, is_low, ~np.isnan(decision))
    has_drifted = drift > DRIFT_ABOVE
    alarms = find_episodes(stop_s, has_drifted, ~has_drifted, ~np.isnan(drift))
    rows = [_alert_row(ALERT, alert, stop_s, probability, record) for alert in alerts]
    rows += [_alert_row(DRIFT, alarm, stop_s, drift, record) for alarm in alarms]
    return table_from_rows("monitor_alerts", sorted(rows, key=lambda row: row["onset_s"]))


def _alert_row(kind: str, episode: Episode, stop_s: np.ndarray, values: np.ndarray, record: Record) -> dict:
    return {
        "kind": kind,
        "onset_s": episode.onset_s,
        "end_s": episode.end_s,
        "duration_s": (float(stop_s[-1]) if episode.end_s is None else episode.end_s) - episode.onset_s,
        "time": record.time_at(episode.onset_s),
        "highest": float(np.nanmax(values[episode.first : episode.last + 1])),
        "notice": RESEARCH_USE,
    }


def _numbers(windows: pa.Table, name: str) -> np.ndarray:
    """A column as float64 (n,), NaN where it is null."""
    return windows[name].cast(pa.float64()).to_numpy()
