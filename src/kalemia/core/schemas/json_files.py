"""JSON files of the results folder, without those of evaluation/."""

from kalemia.core.schemas.declaration import JsonFile

JSON_FILES = (
    JsonFile(
        "cohort/flow.json",
        "the inclusion flow: each step with its rule, the subjects and draws left, those lost by reason with number,"
        " median and range of each class, the number of draws with each flag, the decisions changed by the review, who"
        " ends in the populations, who came nearest to a personal network, and how far"
        " draws are from their paired ECGs",
    ),
    JsonFile(
        "cohort/claims.json",
        "what decides about the claims, as registered before any network was trained: the settings, their digest and"
        " the time; later changes are added",
    ),
    JsonFile(
        "cohort/characteristics.json",
        "age, gender, ethnicity, height, weight, draws and values of both populations, with the number missing of each",
    ),
    JsonFile(
        "generic/metrics.json",
        "metrics on training, validation and test draws and beats, with intervals ([training.md](../training.md))",
    ),
    JsonFile(
        "generic/mixed_model.json",
        "the mixed model of the ECG's measures over all draws of the generic patients, on which a baseline builds: mean"
        " and SD of the measures, intercept and slopes of the mean patient, their SDs between patients, and the noise;"
        " null with fewer than nine draws; not written if the network is imported",
    ),
    JsonFile(
        "personal/{arm}/{subject}/split.json",
        "the draws of each round and of the test, the seed, the leakage audit, and for every usable draw its time,"
        " label, recording, admission and segments",
    ),
    JsonFile("personal/{arm}/{subject}/round-{k}/metrics.json", "metrics on the test draws"),
    JsonFile(
        "source/truth.json",
        "simulated studies only: the simulated effects and events; only the tests and the report read it",
    ),
)
