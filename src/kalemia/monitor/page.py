"""The page of a monitor: one file that asks for no other, with every moment's beats in it."""

import base64
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from kalemia import __version__
from kalemia.core.schemas import BEAT_SAMPLES
from kalemia.core.wording import plural
from kalemia.ecg.filters import recorded_runs
from kalemia.models.model import Model
from kalemia.monitor.alerts import ALERT, DRIFT, RELEASE
from kalemia.monitor.chart import LEFT, RIGHT, WIDTH, Chart, nice_range
from kalemia.monitor.drift import DRIFT_ABOVE
from kalemia.monitor.episodes import LOST_S, RELEASE_S
from kalemia.monitor.potassium import KnownValue
from kalemia.monitor.windows import Record
from kalemia.report.html import FOLDER, write_html

_MOST_SHOWN = 3000  # windows; of more, one of two, three, ... is shown
_BEATS = ("low_beat", "mean_beat", "high_beat")
_DECISIONS = {1: "positive", 0: "negative", None: "no answer"}


def write_monitor_page(
    path: Path, windows: pa.Table, alerts: pa.Table, known: list[KnownValue], model: Model, record: Record
) -> None:
    """Write the page of tables of kinds "monitor" and "monitor_alerts"."""
    config = model.config
    shown, thinned = _thin(windows)
    css, script = (Markup((FOLDER / name).read_text("utf-8")) for name in ("monitor.css", "monitor.js"))
    rows = alerts.to_pylist()
    answered = np.flatnonzero(shown["decision"].is_valid().to_numpy())
    write_html(
        path,
        "monitor.html",
        monitor_css=css,
        monitor_script=script,
        record=record.path.name,
        lead=record.lead,
        summary=sum_up(windows, alerts),
        is_simulated=config.origin.is_simulated,
        is_personal=config.subject_id is not None,
        chart=_chart(shown, rows, known, model),
        width=WIDTH,
        left=LEFT,
        right=RIGHT,
        n_shown=max(1, len(shown)),
        first_shown=int(answered[-1]) if len(answered) else 0,
        thinned=thinned,
        alerts=rows,
        has_clock=record.signal.started is not None,
        release=RELEASE,
        release_s=RELEASE_S,
        lost_s=LOST_S,
        threshold=config.threshold,
        drift_above=DRIFT_ABOVE,
        known=[_known_row(value, windows) for value in known],
        analyte=config.analyte,
        reasons=Counter(reason for reason in windows["reason"].to_pylist() if reason).most_common(),
        about_model=_about_model(model),
        data=_data(shown, model),
        notice=config.notice,
        version=__version__,
    )


def sum_up(windows: pa.Table, alerts: pa.Table) -> str:
    """One sentence: how long, how many windows have an answer, and how many alerts and alarms there were."""
    hours = windows["stop_s"][-1].as_py() / 3600 if len(windows) else 0.0
    n_answers = len(windows) - windows["decision"].null_count
    kinds = alerts["kind"].to_pylist()
    return (
        f"{hours:.1f} hours: {n_answers:,} of {plural(len(windows), 'window')} with an answer,"
        f" {plural(kinds.count(ALERT), ALERT)}, {plural(kinds.count(DRIFT), DRIFT)}"
    )


def _thin(windows: pa.Table) -> tuple[pa.Table, int]:
    """At most `_MOST_SHOWN` of the windows, and of how many each is the one with the highest probability."""
    size = -(-len(windows) // _MOST_SHOWN) or 1
    if size == 1:
        return windows, 1
    probability = np.nan_to_num(_numbers(windows, "probability"), nan=-1.0)
    groups = [np.arange(start, min(start + size, len(windows))) for start in range(0, len(windows), size)]
    return windows.take([int(group[probability[group].argmax()]) for group in groups]), size


def _chart(shown: pa.Table, alerts: list[dict], known: list[KnownValue], model: Model) -> Chart:
    config, hours = model.config, shown["stop_s"].to_numpy() / 3600
    chart = Chart(max([hours[-1] if len(hours) else 1 / 6, *(value.hours for value in known)]))
    if known:
        values = np.array([value.potassium for value in known])
        low, high, ticks = nice_range(values, 1.0, (3.0, 7.0))
        panel = chart.add_panel(f"{config.analyte.name}, {config.analyte.unit}", 90, low, high, ticks)
        panel.marks = [(chart.x(value.hours), panel.y(value.potassium), f"{value.potassium:g}") for value in known]
    panel = chart.add_panel(f"Probability of {config.analyte.condition}", 170, 0, 1, (0, 0.5, 1))
    chart.draw_line(panel, hours, _numbers(shown, "probability"))
    panel.limit, panel.bands = config.threshold, _bands(chart, alerts, ALERT)
    panel.gaps = _gaps(chart, shown)
    rate_bpm = _numbers(shown, "heart_rate_bpm")
    chart.draw_line(chart.add_panel("Heart rate, 1/min", 80, *nice_range(rate_bpm, 20, (40, 120))), hours, rate_bpm)
    chart.draw_line(chart.add_panel("Quality of the beats", 60, 0, 1, (0, 1)), hours, _numbers(shown, "quality"))
    if config.subject_id is not None:
        panel = chart.add_panel("Drift of the mean beat", 70, 0, 1, (0, 1))
        chart.draw_line(panel, hours, _numbers(shown, "drift"))
        panel.limit, panel.bands = DRIFT_ABOVE, _bands(chart, alerts, DRIFT)
    return chart


def _bands(chart: Chart, alerts: list[dict], kind: str) -> list[tuple[float, float]]:
    spans_s = [(row["onset_s"], row["onset_s"] + row["duration_s"]) for row in alerts if row["kind"] == kind]
    return [chart.span(start_s / 3600, stop_s / 3600) for start_s, stop_s in spans_s]


def _gaps(chart: Chart, shown: pa.Table) -> list[tuple[float, float]]:
    """Where windows have no answer: from the end of the window before the first to the end of the last."""
    stop_h = np.append(shown["stop_s"].to_numpy()[:1], shown["stop_s"].to_numpy()) / 3600
    runs = recorded_runs(np.where(shown["decision"].is_valid().to_numpy(), np.nan, 0))
    return [chart.span(stop_h[run.start], stop_h[run.stop]) for run in runs]


def _known_row(value: KnownValue, windows: pa.Table) -> dict:
    """A known value with the last answer before it, if that is no older than an hour."""
    age_s = 3600 * value.hours - windows["stop_s"].to_numpy()
    before = np.flatnonzero((age_s >= 0) & (age_s <= LOST_S) & windows["decision"].is_valid().to_numpy())
    row = {
        name: windows[name][int(before[-1])].as_py() if len(before) else None for name in ("probability", "decision")
    }
    return row | {"hours": value.hours, "potassium": value.potassium, "decision": _DECISIONS[row["decision"]]}


def _about_model(model: Model) -> dict[str, str]:
    config = model.config
    return {
        "Model": config.name,
        "Study": config.origin.study,
        "Learned from": f"{plural(len(config.draws), 'draw')}, the last on {config.cut_off:%Y-%m-%d %H:%M}",
        "Threshold": f"{config.threshold:.3f} ({config.threshold_source})",
        "Window": f"{plural(config.window_minutes, 'minute')}, moved by one;"
        f" at least {config.min_recorded_minutes:g} recorded",
    }


def _data(shown: pa.Table, model: Model) -> Markup:
    """The windows as JSON: their beats in microvolts, 16 bits each."""
    answered = shown.filter(shown["decision"].is_valid())
    beats_mv = np.stack(
        [answered[name].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES) for name in _BEATS], axis=1
    )
    learned_mv = model.config.mean_beat_mv if model.config.subject_id is not None else np.empty(0)
    data = {
        "hours": [round(stop_s / 3600, 4) for stop_s in shown["stop_s"].to_pylist()],
        "decision": shown["decision"].to_pylist(),
        "said": [_said(row) for row in shown.drop_columns(list(_BEATS)).to_pylist()],
        "beats": base64.b64encode(_microvolts(beats_mv).tobytes()).decode(),
        "learned": _microvolts(learned_mv).tolist(),
    }
    return Markup(json.dumps(data).replace("<", r"\u003c"))


def _microvolts(beats_mv: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(1000 * beats_mv), -32768, 32767).astype("<i2")


def _said(row: dict) -> str:
    """What the model says of a window, in words."""
    clock = f" ({row['time']:%Y-%m-%d %H:%M})" if row["time"] else ""
    at = f"Until {row['stop_s'] / 3600:.2f} h{clock}: "
    if row["reason"]:
        return f"{at}no answer, {row['reason']}."
    calibrated = "" if row["calibrated_probability"] is None else f", calibrated {row['calibrated_probability']:.2f}"
    drift = "" if row["drift"] is None else f", drift {row['drift']:.2f}"
    return (
        f"{at}{_DECISIONS[row['decision']]}, probability {row['probability']:.3f}{calibrated}, from"
        f" {plural(row['n_beats'], 'beat')}; heart rate {row['heart_rate_bpm']:.0f} a minute,"
        f" quality {row['quality']:.2f}{drift}."
    )


def _numbers(windows: pa.Table, name: str) -> np.ndarray:
    """A column as float64 (n,), NaN where it is null."""
    return windows[name].cast(pa.float64()).to_numpy()
