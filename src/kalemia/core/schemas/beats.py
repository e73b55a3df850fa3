"""Tables of excerpts, beats and signal quality."""

import pyarrow as pa

from kalemia.core.schemas.declaration import (
    BEAT,
    DETAIL,
    DRAW_ID,
    DRAW_TIME,
    FAULT,
    HADM_ID,
    HEART_RATE_BPM,
    LABEL,
    NAME,
    REASON,
    RECORDING,
    SAMPLE_FROM,
    SEGMENT,
    SUBJECT_ID,
    VALUE,
    Column,
    Table,
)

FIDUCIAL = Column(
    "fiducial",
    NAME,
    "wave of the QRS complex that is marked: R, or S where there was hardly an R wave when it was chosen; `r_sample`,"
    " the intervals and the beat follow it",
)

BEATS_TABLES = (
    Table(
        "excerpts",
        "excerpts/{subject}.parquet",
        "The ECG lead as recorded before each draw, or why there is none: one row per draw.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            VALUE,
            LABEL,
            HADM_ID,
            RECORDING,
            SAMPLE_FROM,
            Column("rate_hz", pa.float32(), "sampling rate", "Hz"),
            Column("ecg_mv", pa.list_(pa.float32()), "the lead, unfiltered; NaN where nothing was recorded", "mV"),
            Column(
                "segments",
                pa.list_(SEGMENT),
                "name, first and last sample (exclusive), gain (ADC units per mV) and baseline (ADC units at 0 mV)"
                " of each segment",
            ),
            Column(
                "faults",
                pa.list_(FAULT),
                "stretches that were recorded but hold no ECG: missing, clipped, flat; first and last sample"
                " (exclusive)",
            ),
            REASON,
            DETAIL,
        ),
    ),
    Table(
        "beats",
        "beats/{subject}.parquet",
        "One row per beat, one row group per draw. Excerpts and beats of ten subjects are made together, in"
        " `excerpts/batch-{number}/` and `beats/batch-{number}/`, which are temporary."
        " `results/beats/generic.parquet` holds the shards of all generic patients, in the order of"
        " their names, one row group per patient. Training of the generic network reads it and"
        " `results/cohort/generic.parquet`, and nothing else.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            VALUE,
            LABEL,
            Column("recording", NAME, "name of the WFDB record"),
            Column("segment", NAME, "segment that holds the marked wave"),
            Column("r_sample", pa.int64(), "sample of the marked wave's peak, in the recording"),
            Column("rr_before_ms", pa.float32(), "interval to the previous R peak", "ms"),
            Column("rr_after_ms", pa.float32(), "interval to the next R peak", "ms"),
            Column("quality", pa.float32(), "quality of the beat, 0 to 1"),
            FIDUCIAL,
            Column("fiducial_confidence", pa.float32(), "confidence that it is that wave, 0 to 1"),
            Column("beat", BEAT, "120 samples at 125 Hz, filtered, the marked wave at index 40", "mV"),
        ),
        other_paths=("beats/generic.parquet",),
    ),
    Table(
        "quality",
        "beats/{subject}.quality.parquet",
        "The beats that were kept and rejected, and why: one row per draw.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            VALUE,
            LABEL,
            HADM_ID,
            RECORDING,
            Column("recorded_s", pa.float32(), "length of the recorded ECG", "s"),
            HEART_RATE_BPM,
            Column("n_r_peaks", pa.int32(), "R peaks found"),
            Column("n_good", pa.int32(), "beats that passed"),
            Column("n_kept", pa.int32(), "beats that are in the shard"),
            Column("rejection_counts", pa.map_(pa.string(), pa.int32()), "beats rejected, by reason"),
            Column("quality", pa.float32(), "mean quality of the beats, 0 to 1"),
            FIDUCIAL,
            Column(
                "fiducial_found",
                pa.bool_(),
                "whether that wave was found; if not, the most prominent one is marked, and the beats may be aligned"
                " differently from those of other draws",
            ),
            Column("fiducial_confidence", pa.float32(), "median confidence of all beats found, 0 to 1"),
            Column("fiducial_draw_id", pa.int64(), "draw whose ECG determines which wave is looked for"),
            Column("irregularity", pa.float32(), "coefficient of sample entropy of the normal intervals"),
            Column("ectopic_share", pa.float32(), "share of beats that are ectopic"),
            Column("pacing_click", pa.float32(), "amplitude of pacing pulses, relative to the QRS complex"),
            Column(
                "reason_before_review",
                pa.string(),
                "why the checks alone would exclude the draw, before review; null if they would not",
            ),
            Column("review", pa.string(), "decision of the reviewer: accept or reject; null if there is none"),
            Column(
                "review_beats",
                pa.string(),
                "the beats of an accepted draw: good, those that the checks kept; found, all that were found, because"
                " none was good; set, those that the reviewer marked; null for other draws",
            ),
            REASON,
        ),
    ),
    Table(
        "mean_beats",
        "mean_beats/{subject}.parquet",
        "One row per draw of a personal patient for which an ECG was looked for, in the order of time. The patient's"
        " page shows no other ECG.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            VALUE,
            LABEL,
            HEART_RATE_BPM,
            Column("n_kept", pa.int32(), "beats in the mean"),
            REASON,
            Column("mean_beat", BEAT, "mean over the kept beats; null if there are none", "mV"),
        ),
    ),
)
