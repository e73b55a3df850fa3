"""The table that a model makes of a recording."""

import pyarrow as pa

from kalemia.core.schemas.declaration import HEART_RATE_BPM, Column, Table

MODELS_TABLES = (
    Table(
        "windows",
        "windows.parquet",
        "What `kalemia predict` and `Model.predict` say about a recording: one row per window. Not part of a study;"
        " you name the file.",
        (
            Column("start_s", pa.float64(), "start of the window, since the start of the recording", "s"),
            Column("n_beats", pa.int32(), "beats that were scored"),
            HEART_RATE_BPM,
            Column("quality", pa.float32(), "mean quality of the beats, 0 to 1"),
            Column("reason", pa.string(), "why the model abstains; null if it does not"),
            Column("logit", pa.float64(), "mean logit over the beats"),
            Column("probability", pa.float64(), "sigmoid of the mean logit"),
            Column("calibrated_probability", pa.float64(), "probability after calibration; null without one"),
            Column("decision", pa.int8(), "1 positive, 0 negative"),
            Column(
                "prediction_set", pa.list_(pa.int8()), "labels that the conformal set holds; null without calibration"
            ),
        ),
    ),
)
