"""Tables of the generic and personal networks: training, predictions, rounds and baselines."""

import pyarrow as pa

from kalemia.core.schemas.declaration import (
    ANALYTE_UNIT,
    ARM,
    BASELINE,
    DRAW_ID,
    DRAW_TIME,
    LABEL,
    SUBJECT_ID,
    VALUE,
    Column,
    Table,
)

NETWORKS_TABLES = (
    Table(
        "history",
        "generic/history.parquet",
        "Training of the generic network: one row per epoch.",
        (
            Column("epoch", pa.int32(), "number of the epoch, from 1"),
            Column("learning_rate", pa.float64(), "learning rate"),
            Column("train_loss", pa.float64(), "cross entropy on training beats"),
            Column("train_accuracy", pa.float64(), "share of training beats decided correctly"),
            Column("validation_loss", pa.float64(), "cross entropy on validation beats"),
            Column("validation_accuracy", pa.float64(), "share of validation beats decided correctly"),
            Column("seconds", pa.float64(), "duration of the epoch", "s"),
        ),
    ),
    Table(
        "predictions",
        "generic/predictions.parquet",
        "One row per draw.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            VALUE,
            LABEL,
            Column("role", pa.string(), "train, validation, test; other: scored, but neither trained on nor tested"),
            Column("n_beats", pa.int32(), "beats scored"),
            Column("votes", pa.int32(), "beats decided positive"),
            Column("beat_logits", pa.list_(pa.float32()), "logits of the beats, ascending"),
            Column("logit", pa.float64(), "mean logit over the beats"),
            Column("probability", pa.float64(), "sigmoid of the mean logit"),
            Column("decision", pa.int8(), "1 positive, 0 negative"),
            Column(
                "estimate",
                pa.float64(),
                "predicted value of the analyte, mean over the beats; null without an auxiliary head",
                ANALYTE_UNIT,
            ),
        ),
        other_paths=("personal/{arm}/{subject}/round-{k}/predictions.parquet",),
    ),
    Table(
        "comparators",
        "generic/comparators.parquet",
        "One row per test draw of the generic network and simpler score, which learned from its other draws.",
        (
            SUBJECT_ID,
            BASELINE,
            DRAW_ID,
            LABEL,
            Column("score", pa.float64(), "score of the draw; above 0 means positive"),
        ),
    ),
    Table(
        "arms",
        "personal/arms.parquet",
        "The number of rounds that each arm allows each patient: one row per arm and patient.",
        (
            ARM,
            SUBJECT_ID,
            Column("rounds", pa.int32(), "number of rounds; 0 if the protocol is impossible for the patient"),
            Column(
                "reason", pa.string(), "why the arm's protocol is impossible for the patient; null if it is possible"
            ),
        ),
    ),
    Table(
        "baselines",
        "personal/{arm}/{subject}/baselines.parquet",
        "One row per baseline and test draw.",
        (
            SUBJECT_ID,
            BASELINE,
            DRAW_ID,
            DRAW_TIME,
            Column("label", pa.int8(), "1 positive, 0 negative, null neither, or no reliable value"),
            Column("score", pa.float64(), "score of the draw; above 0 means positive, except for `generic`"),
            Column("decision", pa.int8(), "1 positive, 0 negative"),
        ),
    ),
)
