from types import SimpleNamespace

import numpy as np
import pytest

from beat_shards import NETWORK, write_generic_model, write_shard, write_split
from kalemia.beats.dataset import read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.schemas import EXPLANATION
from kalemia.core.tables import read_json, read_table, write_json
from kalemia.explanation.explain_patient import PatientFiles, TrainingSettings, explain_subject
from kalemia.explanation.gradcam import gradcam_maps
from kalemia.explanation.weight_randomization import CASCADE_LEVELS
from kalemia.network.checkpoints import load_generic
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import last_frozen_stage, read_inputs, write_features
from kalemia.personal.negative_controls import null_runs
from kalemia.personal.nulls import train_null
from kalemia.personal.splits import read_split

ARM = config.Arm("paper", 0.2, "last_stages", "frozen", replay=False, epochs=1, batch_size=16, learning_rate=1e-2)
PERSONAL = config.Personal(
    max_rounds=5, pairs_per_round=1, test_fraction=0.25, min_test_draws=2, n_trained_stages=1, threads=1
)
SETTINGS = config.Explanation(gradcam_stages=(2, 4), beats_per_draw=5, perplexity=30.0)
SUBJECT = 200001


def explained(patient, folder, subject_id=SUBJECT, arms=("paper",)):
    """Explain into the folder; the paths by kind of table."""
    paths = {kind: folder / f"{kind}.parquet" for kind in EXPLANATION}
    splits, rounds = {"paper": patient.split}, dict.fromkeys(arms, patient.round)
    files = PatientFiles(patient.shard, patient.features, patient.generic, splits, rounds)
    explain_subject(
        subject_id, files, TrainingSettings(NETWORK, PERSONAL, {"paper": ARM}, 2022), SETTINGS, "a-digest", paths
    )
    return paths


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A simulated patient after one round, and the explanation: rows by kind of table."""
    folder = tmp_path_factory.mktemp("explanation")
    files = SimpleNamespace(shard=folder / "beats.parquet", round=folder / "round-1/model.safetensors")
    files.generic = write_generic_model(folder / "generic.safetensors")
    files.draws = write_shard(files.shard, SUBJECT, [1, 0, 1, 0, None, 1], beats_per_draw=8)
    files.split = write_split(folder / "split.json", SUBJECT, [tuple(files.draws[:2])], files.draws[2:4])
    list_every_draw(files.split, files.draws)
    files.features = folder / "features.safetensors"
    write_features(files.shard, files.generic, NETWORK, PERSONAL.n_trained_stages, 1, files.features)
    train_round(
        1, files.split, files.shard, files.features, files.generic, None, NETWORK, ARM, PERSONAL, 2022, "a-digest",
        "vote", files.round, folder / "predictions.parquet", folder / "metrics.json",
    )  # fmt: skip
    files.paths = explained(files, folder)
    files.rows = {kind: read_table(path, kind, digest="a-digest").to_pylist() for kind, path in files.paths.items()}
    return files


def list_every_draw(split_path, draws):
    """The split of a study names every usable draw, also one that is on neither side."""
    split = read_json(split_path)
    last = split["draws"][-1] | {"draw_id": draws[5], "time": "2150-03-02T06:00:00", "label": 1, "admission": 2}
    write_json(split_path, split | {"draws": [*split["draws"], last]})


def test_every_model_and_stage_has_maps_of_both_mean_beats(patient):
    table = patient.rows["gradcam"]
    assert [(row["model"], row["stage"], row["label"]) for row in table] == [
        (model, stage, label) for model in ("generic", "paper") for stage in (2, 4) for label in (1, 0)
    ]
    beats = read_beats(patient.shard)
    of_class = beats.beats_mv[np.isin(beats.draw_ids, [patient.draws[i] for i in (0, 2, 5)])]
    np.testing.assert_allclose(table[0]["mean_beat"], of_class.mean(axis=0), atol=1e-6)
    network, _ = load_generic(patient.generic, NETWORK)
    (expected,) = gradcam_maps(network, np.array(table[0]["mean_beat"], np.float32)[None], np.array([1]), (2,))[2]
    np.testing.assert_allclose(table[0]["attention"], expected, atol=1e-5)
    assert table[0]["attention"] != pytest.approx(table[4]["attention"], abs=1e-4)


def test_the_fractions_of_every_map_sum_to_one(patient):
    table = patient.rows["waves"]
    assert len(table) == 5 * len(patient.rows["gradcam"])
    for start in range(0, len(table), 5):
        of_map = table[start : start + 5]
        assert [row["wave"] for row in of_map] == ["P", "QRS", "ST", "T", "rest"]
        assert sum(row["even_share"] for row in of_map) == pytest.approx(1)
        total = sum(row["share"] for row in of_map)
        assert total == pytest.approx(1) or np.isnan(total)
    assert (table[1]["from_ms"], table[1]["to_ms"], table[4]["from_ms"]) == (-72, 72, None)


def test_every_map_is_compared_with_random_weights_and_the_other_half_of_draws(patient):
    checks = {(row["model"], row["reference"]) for row in patient.rows["sanity"]}
    expected = {(model, against) for model in ("generic", "paper") for against in (*CASCADE_LEVELS, "halves")}
    assert checks == expected | {("paper", "labels")}
    assert len(patient.rows["sanity"]) == 4 * len(checks)
    for row in patient.rows["sanity"]:
        assert np.isnan(row["spearman"]) or -1 <= row["spearman"] <= 1


def test_shuffled_labels_are_trained_with_the_arms_settings(patient):
    (row,) = (
        row for row in patient.rows["sanity"] if (row["reference"], row["stage"], row["label"]) == ("labels", 4, 1)
    )
    generic, beats = load_generic(patient.generic, NETWORK)[0], read_beats(patient.shard, NETWORK)
    inputs = read_inputs(patient.features, patient.shard, patient.generic, beats.inputs, last_frozen_stage(ARM, 1))
    (null,) = null_runs("shuffled", 1, read_split(patient.split), ARM, PERSONAL, 2022)
    *_, (_, last) = train_null(null, generic, inputs, beats, NETWORK, ARM, PERSONAL)
    model = last.network
    mean_mv = next(row for row in patient.rows["gradcam"] if row["label"] == 1)["mean_beat"]
    (expected,) = gradcam_maps(model, np.array(mean_mv, np.float32)[None], np.array([1]))[4]
    np.testing.assert_allclose(row["attention"], expected, atol=1e-5)


def test_occlusion_compares_both_networks_on_the_arms_test_draws(patient):
    table = patient.rows["occlusion"]
    assert [(row["arm"], row["model"], row["wave"]) for row in table] == [
        ("paper", model, wave) for model in ("generic", "paper") for wave in ("P", "QRS", "ST", "T")
    ]
    assert {(row["n_test"], row["n_positive"]) for row in table} == {(2, 1)}
    assert table[0]["logit_change"] != pytest.approx(table[4]["logit_change"], abs=1e-4)


def test_embedding_has_labeled_draws_with_their_roles(patient):
    table = patient.rows["embedding"]
    roles = {
        model: {row["draw_id"]: row["role"] for row in table if row["model"] == model} for model in ("generic", "paper")
    }
    labeled = [patient.draws[i] for i in (0, 1, 2, 3, 5)]
    assert roles["generic"] == dict.fromkeys(labeled, "other")
    assert list(roles["paper"].values()) == ["train", "train", "test", "test", "other"]
    assert list(roles["paper"]) == labeled
    assert len(table) == 2 * 5 * SETTINGS.beats_per_draw
    assert {row["label"] for row in table if row["draw_id"] == patient.draws[1]} == {0}


def test_neighboring_draws_of_one_label_form_an_episode(patient):
    episodes = {row["draw_id"]: row["episode"] for row in patient.rows["embedding"]}
    assert [episodes[patient.draws[i]] for i in (0, 1, 2, 3, 5)] == [0, 1, 2, 3, 4]


def test_both_embeddings_have_a_trustworthiness(patient):
    table = patient.rows["projections"]
    assert [(row["model"], row["method"]) for row in table] == [
        (model, method) for model in ("generic", "paper") for method in ("t-SNE", "PCA")
    ]
    assert all(0 <= row["trustworthiness"] <= 1 and row["n_beats"] == 25 for row in table)
    assert [row["variance"] is None for row in table] == [True, False, True, False]


def test_same_explanation_gives_the_same_bytes(patient, tmp_path):
    for kind, path in explained(patient, tmp_path).items():
        assert path.read_bytes() == patient.paths[kind].read_bytes(), kind


def test_another_subjects_checkpoint_is_rejected(patient, tmp_path):
    with pytest.raises(UserError, match=r"model\.safetensors: holds weights of subject 200001 in arm 'paper', not of"):
        explained(patient, tmp_path, subject_id=200002)


def test_a_subject_without_rounds_still_has_the_generic_map(patient, tmp_path):
    paths = explained(patient, tmp_path, arms=())
    for kind in ("gradcam", "waves", "sanity", "embedding", "projections"):
        assert set(read_table(paths[kind], kind)["model"].to_pylist()) == {"generic"}
    assert not len(read_table(paths["occlusion"], "occlusion"))
