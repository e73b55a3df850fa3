"""Tables of the explanation of each patient's networks."""

import pyarrow as pa

from kalemia.core.schemas.declaration import BEAT, DRAW_ID, MODEL, N_POSITIVE, N_TEST, STAGE, VALUE, Column, Table

EXPLANATION_TABLES = (
    Table(
        "gradcam",
        "explanation/{subject}/gradcam.parquet",
        "One row per model, stage and class.",
        (
            MODEL,
            STAGE,
            Column("label", pa.int8(), "1 positive, 0 negative"),
            Column("mean_beat", BEAT, "mean beat of the label", "mV"),
            Column("attention", BEAT, "Grad-CAM attention, 0 to 1"),
        ),
    ),
    Table(
        "waves",
        "explanation/{subject}/waves.parquet",
        "One row per model, stage, class and wave: the share of the attention that falls within the wave.",
        (
            MODEL,
            STAGE,
            Column("label", pa.int8(), "1 positive, 0 negative"),
            Column("wave", pa.string(), "P, QRS, ST, T; rest: outside all of them"),
            Column("from_ms", pa.float64(), "start relative to the R peak; null for the rest", "ms"),
            Column("to_ms", pa.float64(), "end relative to the R peak, exclusive", "ms"),
            Column("share", pa.float64(), "share of all attention; NaN if there is none"),
            Column("even_share", pa.float64(), "share for a map that is the same everywhere"),
        ),
    ),
    Table(
        "sanity",
        "explanation/{subject}/sanity.parquet",
        "One row per model, stage, class and reference map: how similar the two maps are.",
        (
            MODEL,
            STAGE,
            Column("label", pa.int8(), "1 positive, 0 negative"),
            Column(
                "reference",
                pa.string(),
                "the map compared with: head, stage4, …, stem: weights randomized from the head down to this stage;"
                " labels: network trained on shuffled labels; halves: the same network on either half of the draws",
            ),
            Column("attention", BEAT, "the reference map, 0 to 1"),
            Column(
                "spearman",
                pa.float64(),
                "rank correlation of the network's map with the reference; 0 if the reference is constant, NaN if"
                " the network's map is",
            ),
            Column("ssim", pa.float64(), "structural similarity"),
        ),
    ),
    Table(
        "occlusion",
        "explanation/{subject}/occlusion.parquet",
        "One row per arm, model and wave: how the scores of the arm's test draws change when a straight line"
        " replaces the wave.",
        (
            Column("arm", pa.string(), "arm whose test draws are scored"),
            Column("model", pa.string(), "generic, or the name of the arm"),
            Column("wave", pa.string(), "P, QRS, ST, T"),
            N_TEST,
            N_POSITIVE,
            Column("auc", pa.float64(), "AUC on whole beats, `explanation.beats_per_draw` per draw"),
            Column("auc_without", pa.float64(), "AUC on the same beats without the wave"),
            Column(
                "logit_change",
                pa.float64(),
                "size of the change of a draw's mean logit, averaged over draws, then over the classes",
            ),
            Column("logit_drop", pa.float64(), "change of the mean logit toward the other class, averaged likewise"),
        ),
    ),
    Table(
        "embedding",
        "explanation/{subject}/embedding.parquet",
        "One row per model and beat shown.",
        (
            MODEL,
            DRAW_ID,
            Column("label", pa.int8(), "1 positive, 0 negative"),
            VALUE,
            Column("role", pa.string(), "as in predictions; the generic network was trained on none of the draws"),
            Column(
                "episode",
                pa.int32(),
                "number of the episode in the order of time, from 0: neighboring draws of one label within one"
                " admission",
            ),
            Column("tsne_x", pa.float32(), "t-SNE coordinate"),
            Column("tsne_y", pa.float32(), "t-SNE coordinate"),
            Column("pca_x", pa.float32(), "coordinate on the first principal axis"),
            Column("pca_y", pa.float32(), "coordinate on the second principal axis"),
        ),
    ),
    Table(
        "projections",
        "explanation/{subject}/projections.parquet",
        "One row per model and projection method.",
        (
            MODEL,
            Column("method", pa.string(), "t-SNE, PCA"),
            Column("n_beats", pa.int32(), "beats shown"),
            Column(
                "trustworthiness",
                pa.float64(),
                "trustworthiness of the embedding: 1 = all neighbors preserved, about 0.5 = chance",
            ),
            Column("variance", pa.float64(), "share of the variance on the two principal axes; null for t-SNE"),
        ),
    ),
)
