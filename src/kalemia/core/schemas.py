"""What is in the Parquet tables that stages hand to each other: the columns of every kind of table."""

import pyarrow as pa

from kalemia.core.schemas_of_evaluation import EVALUATION_SCHEMAS

VERSION = 1
BEAT_SAMPLES = 120  # at RATE_HZ: 40 before the R peak, 80 from it on (Chiu 2022)
R_INDEX = 40
RATE_HZ = 125.0
EXPLANATION = ("gradcam", "waves", "sanity", "occlusion", "embedding", "projections")  # kinds a patient has one of each

_name = pa.dictionary(pa.int32(), pa.string())
_time = pa.timestamp("us")

SEGMENT = pa.struct(
    [
        ("name", pa.string()),
        ("start", pa.int64()),  # samples of the recording, half open
        ("stop", pa.int64()),
        ("gain", pa.float64()),  # ADC units per mV
        ("baseline", pa.int32()),  # ADC units at 0 mV
    ]
)

FAULT = pa.struct(
    [
        ("kind", pa.string()),  # missing, clipped, flat
        ("start", pa.int64()),  # samples of the recording, half open
        ("stop", pa.int64()),
    ]
)

_METRICS = [
    ("n_test", pa.int32()),
    ("n_positive", pa.int32()),
    ("accuracy", pa.float64()),
    ("auc", pa.float64()),
    ("sensitivity", pa.float64()),
    ("specificity", pa.float64()),
]

SCHEMAS: dict[str, pa.Schema] = {
    # every value of the analyte, usable or not
    "draws": pa.schema(
        [
            ("draw_id", pa.int64()),
            ("subject_id", pa.int32()),
            ("hadm_id", pa.int32()),
            ("item_id", pa.int32()),
            ("draw_time", _time),
            ("potassium", pa.float32()),  # mEq/L
            ("label", pa.int8()),  # 1 positive, 0 negative, null neither
            ("flags", pa.list_(pa.string())),  # of kalemia.cohort.labs.FLAGS, whether they exclude the draw or not
            ("recording", pa.string()),
            ("sample_from", pa.int64()),  # of the recording, half open
            ("sample_to", pa.int64()),
            ("candidate", pa.string()),  # personal or generic; null if the draw is not read
            ("reason", pa.string()),  # why it is not read
        ]
    ),
    # one row a draw of the analyte: what was known of the patient at the moment of the draw
    "context": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("last_potassium", pa.float32()),  # the last value whose result was known by then; null if none was
            ("last_label", pa.int8()),  # of the last such value that has one: 1 positive, 0 negative; null if none has
            ("hours_since_last", pa.float32()),  # since the draw of last_potassium
            ("hours_since_admission", pa.float32()),
            ("admission_id", pa.int32()),  # HADM_ID; null outside of any admission
            ("heart_rate_bpm", pa.float32()),  # of the excerpt, if it was read
            ("calcium", pa.bool_()),  # given in the hours before; null where no table says so
            ("insulin", pa.bool_()),
            ("bicarbonate", pa.bool_()),
            ("dialysis", pa.bool_()),
        ]
    ),
    # one row a measurement; of the two values one is null
    "body": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("time", _time),
            ("height_cm", pa.float32()),
            ("weight_kg", pa.float32()),
        ]
    ),
    # one row a subject with draws to read
    "subjects": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("candidate", pa.string()),
        ]
    ),
    # one row a draw
    "excerpts": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("potassium", pa.float32()),
            ("label", pa.int8()),
            ("hadm_id", pa.int32()),
            ("recording", pa.string()),
            ("sample_from", pa.int64()),
            ("rate_hz", pa.float32()),
            ("ecg_mv", pa.list_(pa.float32())),  # unfiltered; NaN where nothing was recorded
            ("segments", pa.list_(SEGMENT)),
            ("faults", pa.list_(FAULT)),  # recorded, but no ECG
            ("reason", pa.string()),  # why there is no ECG
            ("detail", pa.string()),  # where exactly, if that can be said
        ]
    ),
    # one row a recording (draw_id null) or a draw that could not be used
    "ledger": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("recording", pa.string()),
            ("reason", pa.string()),  # one of kalemia.cohort.inclusion_flow.REASONS
            ("detail", pa.string()),
        ]
    ),
    # one row a beat, one row group a draw
    "beats": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("potassium", pa.float32()),
            ("label", pa.int8()),
            ("recording", _name),
            ("segment", _name),
            ("r_sample", pa.int64()),  # of the recording
            ("rr_before_ms", pa.float32()),
            ("rr_after_ms", pa.float32()),
            ("quality", pa.float32()),  # 0 to 1
            ("beat", pa.list_(pa.float32(), BEAT_SAMPLES)),  # mV, filtered
        ]
    ),
    # one row an excerpt
    "quality": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("potassium", pa.float32()),
            ("label", pa.int8()),
            ("hadm_id", pa.int32()),
            ("recording", pa.string()),
            ("recorded_s", pa.float32()),
            ("heart_rate_bpm", pa.float32()),
            ("n_r_peaks", pa.int32()),
            ("n_good", pa.int32()),
            ("n_kept", pa.int32()),
            ("lost", pa.map_(pa.string(), pa.int32())),  # reason -> beats
            ("quality", pa.float32()),  # mean over the R peaks, 0 to 1
            ("irregularity", pa.float32()),  # coefficient of sample entropy of the normal intervals
            ("ectopic_share", pa.float32()),
            ("pacing_click", pa.float32()),  # amplitude above 45 Hz before the R peak, as a share of the R wave
            ("verdict", pa.string()),  # why the whole draw would be excluded, before review
            ("review", pa.string()),  # accept or reject; null if nobody decided
            ("reason", pa.string()),  # why the whole draw is excluded
        ]
    ),
    # one row an excerpt of a personal patient, in the order of time
    "mean_beats": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("potassium", pa.float32()),
            ("label", pa.int8()),
            ("heart_rate_bpm", pa.float32()),
            ("n_kept", pa.int32()),
            ("reason", pa.string()),  # why the whole draw is excluded
            ("mean_beat", pa.list_(pa.float32(), BEAT_SAMPLES)),  # mV, over the kept beats; null where there are none
        ]
    ),
    # one row a subject that had an excerpt
    "populations": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("population", pa.string()),  # personal, generic, or null
            ("split", pa.string()),  # generic only: train, validation, test
            ("n_positive", pa.int32()),  # usable draws
            ("n_negative", pa.int32()),
            ("n_draws", pa.int32()),
            ("reason", pa.string()),
        ]
    ),
    # the draws that the generic network learns from and is tested on
    "generic": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("label", pa.int8()),
            ("split", pa.string()),
        ]
    ),
    # the usable draws of the personal patients, labeled or not
    "personal": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("label", pa.int8()),
            ("hadm_id", pa.int32()),
            ("recording", pa.string()),
        ]
    ),
    # one row a personal patient and arm
    "arms": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("rounds", pa.int32()),
            ("reason", pa.string()),  # why the arm's protocol is impossible for the patient
        ]
    ),
    # one row an epoch
    "history": pa.schema(
        [
            ("epoch", pa.int32()),
            ("learning_rate", pa.float64()),
            ("train_loss", pa.float64()),
            ("train_accuracy", pa.float64()),
            ("validation_loss", pa.float64()),
            ("validation_accuracy", pa.float64()),
            ("seconds", pa.float64()),
        ]
    ),
    # one row a draw
    "predictions": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("potassium", pa.float32()),
            ("label", pa.int8()),
            ("role", pa.string()),  # train, validation, test; other: scored, but neither learned from nor tested
            ("n_beats", pa.int32()),
            ("votes", pa.int32()),  # beats that say positive
            ("logit", pa.float64()),  # mean over the beats
            ("probability", pa.float64()),  # sigmoid of that mean
            ("decision", pa.int8()),
            ("estimate", pa.float64()),  # mean over the beats, mEq/L; null without a head for the analyte
        ]
    ),
    # one row a personal patient, arm and round, over the test draws
    "rounds": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("round", pa.int32()),
            *_METRICS,
        ]
    ),
    # one row a baseline and test draw of one patient in one arm
    "baselines": pa.schema(
        [
            ("subject_id", pa.int32()),
            ("baseline", pa.string()),
            ("draw_id", pa.int64()),
            ("draw_time", _time),
            ("label", pa.int8()),
            ("score", pa.float64()),  # orders the draws; 0 says neither
            ("decision", pa.int8()),
        ]
    ),
    # one row a personal patient, arm and baseline, over the test draws
    "baseline_metrics": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("baseline", pa.string()),
            *_METRICS,
        ]
    ),
    # one row an arm and baseline, and one for the arm's last round: means over the same patients
    "baseline_averages": pa.schema(
        [
            ("arm", pa.string()),
            ("model", pa.string()),  # a baseline, or last_round
            ("patients", pa.int32()),
            *_METRICS[2:],
        ]
    ),
    # one row a null and repeat of one patient in one arm, over its test draws after the last round
    "nulls": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("kind", pa.string()),  # shuffled, shifted, stranger, between_beats
            ("repeat", pa.int32()),
            ("seed", pa.int64()),
            *_METRICS,
        ]
    ),
    # one row a personal patient and arm that is possible: how near the training draws come to the test draws
    "leakage": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("protocol", pa.string()),
            ("n_train", pa.int32()),
            ("n_test", pa.int32()),
            ("smallest_gap_hours", pa.float64()),
            ("shared_recordings", pa.int32()),
            ("shared_segments", pa.int32()),
            ("shared_admissions", pa.int32()),
            ("shared_episodes", pa.int32()),  # runs of draws of one label
            ("shared_beats", pa.int32()),
        ]
    ),
    # one row a test draw of a personal patient and arm
    "distances": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("draw_id", pa.int64()),
            ("hours_to_training", pa.float64()),  # to the nearest draw of any round
            ("placement_generic", pa.float64()),  # share of the other class's test draws ordered rightly against it
            ("placement", pa.float64()),  # the same after the last round
        ]
    ),
    **EVALUATION_SCHEMAS,
    # one row a model (generic, or an arm after its last round), stage and label, over the label's mean beat
    "gradcam": pa.schema(
        [
            ("model", pa.string()),
            ("stage", pa.int32()),  # of the network; 0 is the stem, 4 the last
            ("label", pa.int8()),
            ("mean_beat", pa.list_(pa.float32(), BEAT_SAMPLES)),  # mV
            ("attention", pa.list_(pa.float32(), BEAT_SAMPLES)),  # 0 to 1
        ]
    ),
    # one row a model, stage, label and wave, and the rest of the beat
    "waves": pa.schema(
        [
            ("model", pa.string()),
            ("stage", pa.int32()),
            ("label", pa.int8()),
            ("wave", pa.string()),  # P, QRS, ST, T; rest
            ("from_ms", pa.float64()),  # from the R peak; null for the rest
            ("to_ms", pa.float64()),
            ("share", pa.float64()),  # of all attention
            ("even_share", pa.float64()),  # of a map that is the same everywhere
        ]
    ),
    # one row a model, stage, label and what its map is held against
    "sanity": pa.schema(
        [
            ("model", pa.string()),
            ("stage", pa.int32()),
            ("label", pa.int8()),
            ("against", pa.string()),  # halves, labels, or random from the head to: head, stage4, ..., stem
            ("attention", pa.list_(pa.float32(), BEAT_SAMPLES)),  # the other map
            ("spearman", pa.float64()),  # 0 where the other map is flat, NaN where the true one is
            ("ssim", pa.float64()),
        ]
    ),
    # one row an arm, model (generic, or the arm's own) and wave, over the arm's test draws
    "occlusion": pa.schema(
        [
            ("arm", pa.string()),
            ("model", pa.string()),
            ("wave", pa.string()),
            ("n_test", pa.int32()),
            ("n_positive", pa.int32()),
            ("auc", pa.float64()),
            ("auc_without", pa.float64()),
            ("logit_change", pa.float64()),  # size of the change of the mean logit
            ("logit_drop", pa.float64()),  # away from the draw's own label
        ]
    ),
    # one row a model and beat shown
    "embedding": pa.schema(
        [
            ("model", pa.string()),
            ("draw_id", pa.int64()),
            ("label", pa.int8()),
            ("potassium", pa.float32()),
            ("role", pa.string()),  # as in predictions; the generic model has learned from none
            ("episode", pa.int32()),  # run of neighboring draws of one label, from 0 in the order of time
            ("tsne_x", pa.float32()),
            ("tsne_y", pa.float32()),
            ("pca_x", pa.float32()),
            ("pca_y", pa.float32()),
        ]
    ),
    # one row a model and way into the plane
    "projections": pa.schema(
        [
            ("model", pa.string()),
            ("method", pa.string()),  # t-SNE, PCA
            ("n_beats", pa.int32()),
            ("trustworthiness", pa.float64()),
            ("variance", pa.float64()),  # share that PCA's two axes hold; null for t-SNE
        ]
    ),
}
