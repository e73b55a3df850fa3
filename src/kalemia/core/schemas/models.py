"""The tables that a model makes of a recording."""

import pyarrow as pa

from kalemia.core.schemas.declaration import BEAT, HEART_RATE_BPM, NAME, TIME, Column, Table

NOTICE = Column("notice", NAME, "always: research use only, not a medical device")

_WINDOWS = Table(
    "windows",
    "windows.parquet",
    "What `kalemia predict` and `Model.predict` say about a recording: one row per window. Not part of a study;"
    " you name the file.",
    (
        Column("start_s", pa.float64(), "start of the window, since the start of the recording", "s"),
        Column("stop_s", pa.float64(), "end of the window, since the start of the recording", "s"),
        Column("time", TIME, "end of the window, by the recorder's clock; null if the file does not say"),
        Column("n_beats", pa.int32(), "beats that were scored"),
        HEART_RATE_BPM,
        Column("quality", pa.float32(), "mean quality of the beats, 0 to 1"),
        Column("reason", pa.string(), "why the model abstains; null if it does not"),
        Column("logit", pa.float64(), "mean logit over the beats"),
        Column("probability", pa.float64(), "sigmoid of the mean logit"),
        Column("calibrated_probability", pa.float64(), "probability after calibration; null without one"),
        Column("decision", pa.int8(), "1 positive, 0 negative"),
        Column("prediction_set", pa.list_(pa.int8()), "labels that the conformal set holds; null without calibration"),
        NOTICE,
    ),
)

MODELS_TABLES = (
    _WINDOWS,
    Table(
        "monitor",
        "monitor/windows.parquet",
        "What `kalemia monitor` says about a recording: one row per window, which ends at each whole minute. Not"
        " part of a study; you name the folder.",
        (
            *_WINDOWS.columns,
            Column(
                "drift",
                pa.float32(),
                "difference of the mean QRS complex from the one that the network learned, relative to that; null for a"
                " generic network",
            ),
            Column("mean_beat", BEAT, "mean of the beats", "mV"),
            Column("low_beat", BEAT, "10% of the beats are lower, sample by sample", "mV"),
            Column("high_beat", BEAT, "10% of the beats are higher, sample by sample", "mV"),
        ),
    ),
    Table(
        "monitor_alerts",
        "monitor/alerts.parquet",
        "When `kalemia monitor` raised alerts, and alarms because the mean beat had drifted: one row for each.",
        (
            Column("kind", pa.string(), "alert, or drift alarm"),
            Column("onset_s", pa.float64(), "when it began, since the start of the recording", "s"),
            Column("end_s", pa.float64(), "when it ended; null if it lasted to the end", "s"),
            Column("duration_s", pa.float64(), "from its onset to its end, or to the last window", "s"),
            Column("time", TIME, "when it began, by the recorder's clock; null if the file does not say when it began"),
            Column("highest", pa.float64(), "highest probability, or largest drift"),
            NOTICE,
        ),
    ),
)
