import dataclasses
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from beat_shards import NETWORK, START, write_generic_model, write_shard, write_split
from kalemia.beats.dataset import read_beats
from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.seeds import seed_of
from kalemia.core.tables import empty_table, read_json, read_table, table_from_rows, write_json, write_table
from kalemia.network.checkpoints import file_hash, load_checkpoint, load_generic, load_round, save_checkpoint
from kalemia.network.predictions import beat_logits, draw_predictions
from kalemia.network.training import train
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import read_inputs, write_features
from kalemia.personal.round_scores import draw_roles
from kalemia.personal.score_generic import score_generic
from kalemia.stats.draw_metrics import role_metrics

ARM = config.Arm(
    "paper", 0.2, "last_stages", "frozen", False, epochs=2, batch_size=16, learning_rate=1e-2, negative_controls={}
)
PERSONAL = config.Personal(
    max_rounds=5, pairs_per_round=1, test_fraction=0.25, min_test_draws=2, n_trained_stages=1, threads=1
)
SUBJECT, OTHER = 200001, 200002
MIXED_MODEL = {"center": [0.0] * 6, "scale": [1.0, 1.0, 10.0, 50.0, 50.0, 50.0], "noise": 0.5}
MIXED_MODEL |= {"coefficients": [5.0, *[0.0] * 6], "spread": [0.5, *[0.3] * 6]}
LABELS = [1, 0, 1, 0, 1, 0, 1, 0, None]


@dataclasses.dataclass
class Patient:
    """The files of one simulated patient: two rounds of training, and a test of two draws of each class less one."""

    folder: object
    generic: str
    subject_id: int = SUBJECT
    arm_name: str = "paper"

    def __post_init__(self):
        self.folder = self.folder / self.arm_name / str(self.subject_id)
        self.shard = self.folder / "beats.parquet"
        self.draws = write_shard(self.shard, self.subject_id, LABELS, beats_per_draw=12)
        self.rounds = [(self.draws[0], self.draws[1]), (self.draws[2], self.draws[3])]
        self.test = self.draws[4:7]
        self.split = write_split(self.folder / "split.json", self.subject_id, self.rounds, self.test, self.arm_name)
        self.features = self.folder / "features.safetensors"
        self.context = self.folder / "context.parquet"
        write_table(self.context, "context", empty_table("context"))
        self.mixed_model = self.folder / "mixed_model.json"
        write_json(self.mixed_model, {"model": MIXED_MODEL})

    def outputs(self, round_: int, name: str = "round") -> SimpleNamespace:
        folder = self.folder / f"{name}-{round_}"
        return SimpleNamespace(
            model=folder / "model.safetensors",
            predictions=folder / "predictions.parquet",
            metrics=folder / "metrics.json",
        )

    def pass_through(self, personal=PERSONAL) -> None:
        write_features(self.shard, self.generic, NETWORK, personal.n_trained_stages, 1, self.features)

    def score(self) -> SimpleNamespace:
        out = self.outputs(0)
        self.pass_through()
        score_generic(
            self.split, self.shard, self.features, self.generic, self.context, self.mixed_model, NETWORK,
            config.Range(above=5.5), "vote", "a-digest", out.predictions, out.metrics,
            self.folder / "baselines.parquet",
        )  # fmt: skip
        return out

    def train(
        self, round_: int, arm=ARM, previous=None, name="round", digest="a-digest", seed=2022, personal=PERSONAL
    ) -> SimpleNamespace:
        if previous is None and round_ > 1:
            previous = self.outputs(round_ - 1).model
        out = self.outputs(round_, name)
        self.pass_through(personal)
        train_round(
            round_, self.split, self.shard, self.features, self.generic, previous, NETWORK, arm, personal, seed, digest,
            "vote", out.model, out.predictions, out.metrics,
        )  # fmt: skip
        return out

    def baseline_scores(self) -> dict[str, list[float]]:
        """The scores of the test draws by each baseline."""
        self.score()
        scores = {}
        for row in read_table(self.folder / "baselines.parquet", "baselines").to_pylist():
            scores.setdefault(row["baseline"], []).append(row["score"])
        return scores


@pytest.fixture
def patient(tmp_path):
    return Patient(tmp_path, write_generic_model(tmp_path / "generic.safetensors"))


def weights(path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path)[0]


def largest_change(model, other) -> float:
    """The largest difference between two models' weights."""
    before, after = weights(model), weights(other)
    return max(float((before[name] - after[name]).abs().max()) for name in before)


def relabel(shard, label_of):
    """Give some draws of a shard other labels."""
    replace_in_draws(shard, "label", label_of)


def replace_in_draws(shard, name, of_draw):
    table = read_table(shard, "beats")
    columns = (table[column].to_pylist() for column in ("draw_id", name))
    items = [of_draw.get(draw, item) for draw, item in zip(*columns, strict=True)]
    place, type_ = table.column_names.index(name), table.schema.field(name).type
    write_table(shard, "beats", table.set_column(place, name, pa.array(items, type_)))


def _contexts(draws):
    """Rows of the context table in which every value that a baseline uses differs between draws."""
    random = np.random.default_rng(1)
    return [
        {
            "subject_id": SUBJECT,
            "draw_id": draw,
            "draw_time": START,
            "last_value": random.normal(5, 1),
            "last_label": place % 2,
            "heart_rate_bpm": random.normal(80, 9),
            "hours_since_admission": random.normal(50, 9),
        }
        for place, draw in enumerate(draws)
    ]


def rewrite_beats(shard, draw_ids, offset_mv):
    """Add `offset_mv` to the beats of some draws of a shard."""
    table = read_table(shard, "beats")
    beats_mv = np.array(table["beat"].to_pylist(), np.float32)
    beats_mv[np.isin(table["draw_id"].to_numpy(), draw_ids)] += np.float32(offset_mv)
    column = pa.FixedSizeListArray.from_arrays(pa.array(beats_mv.reshape(-1)), 120)
    write_table(shard, "beats", table.set_column(table.column_names.index("beat"), "beat", column))


def test_round_0_has_the_predictions_of_the_generic_network(patient):
    out = patient.score()
    network, _ = load_generic(patient.generic, NETWORK)
    beats = read_beats(patient.shard)
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(beats.beats_mv)).numpy()
    expected = draw_predictions(logits, beats.rows, {}, "vote")
    predictions = read_table(out.predictions, "predictions", digest="a-digest")
    assert predictions.drop_columns("role").equals(expected.drop_columns("role"))
    assert not out.model.exists()


def test_baselines_are_trained_on_training_draws_only(patient):
    """Scores do not change with the labels of the test draws, and change with those of the training draws."""
    write_table(patient.context, "context", table_from_rows("context", _contexts(patient.draws)))
    before = patient.baseline_scores()
    relabel(patient.shard, dict(zip(patient.test, (0, 1, 0), strict=True)))
    assert patient.baseline_scores() == before
    # one positive in place of two: with as many as before the Platt offset would stay as it is
    relabel(patient.shard, dict(zip(patient.draws[:4], (0, 1, 0, 0), strict=True)))
    after = patient.baseline_scores()
    unchanged = {name for name in after if after[name] == pytest.approx(before[name], rel=1e-6, nan_ok=True)}
    assert unchanged == {"generic", "last_value", "last_label", "mixed_model"}


def test_the_mixed_model_learns_from_the_values_of_training_draws_only(patient):
    before = patient.baseline_scores()
    replace_in_draws(patient.shard, "value", dict.fromkeys(patient.test, 7.5))
    assert patient.baseline_scores() == before
    replace_in_draws(patient.shard, "value", dict.fromkeys(patient.draws[:2], 7.5))
    after = patient.baseline_scores()
    assert {name for name in after if after[name] != pytest.approx(before[name], rel=1e-6)} == {"mixed_model"}


def test_roles_follow_the_rounds(patient):
    roles = {0: ["other"] * 4, 1: ["train"] * 2 + ["other"] * 2, 2: ["train"] * 4}
    outputs = [patient.score(), patient.train(1), patient.train(2)]
    for round_, out in enumerate(outputs):
        predictions = read_table(out.predictions, "predictions")
        assert predictions["draw_id"].to_pylist() == patient.draws
        assert predictions["role"].to_pylist() == roles[round_] + ["test"] * 3 + ["other"] * 2


def test_metrics_are_those_of_the_test_draws(patient):
    for round_, out in enumerate([patient.score(), patient.train(1), patient.train(2)]):
        metrics = read_json(out.metrics)
        assert (metrics["subject_id"], metrics["arm"], metrics["round"]) == (SUBJECT, "paper", round_)
        assert metrics["learned"] == sorted(draw for pair in patient.rounds[:round_] for draw in pair)
        of_draws = role_metrics(read_table(out.predictions, "predictions"), "test")
        assert of_draws == {name: metrics[name] for name in of_draws}
        assert (metrics["n_test"], metrics["n_positive"]) == (3, 2)


def test_lineage_is_a_chain_back_to_the_generic_model(patient):
    first, second = patient.train(1), patient.train(2)
    generic_hash = file_hash(patient.generic)
    of_first, of_second = load_checkpoint(first.model)[1], load_checkpoint(second.model)[1]
    assert (of_first.parent, of_first.generic, of_first.round) == (generic_hash, generic_hash, 1)
    assert (of_second.parent, of_second.generic, of_second.round) == (file_hash(first.model), generic_hash, 2)
    assert of_second.draws == tuple(patient.draws[:4])
    assert (of_second.cut_off - START).total_seconds() == 3 * 6 * 3600
    assert (of_second.subject_id, of_second.arm, of_second.digest) == (SUBJECT, "paper", "a-digest")


def test_the_generic_file_is_never_changed(patient):
    before = file_hash(patient.generic)
    patient.score()
    patient.train(1, dataclasses.replace(ARM, train="all", batch_norm="adapt"))
    assert file_hash(patient.generic) == before


def test_the_same_round_gives_the_same_bytes(patient):
    first, again = patient.train(1), patient.train(1, name="again")
    for name in ("model", "predictions", "metrics"):
        assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()


def test_one_patients_weights_depend_on_no_other_patient(patient, tmp_path):
    first = patient.train(1)
    Patient(tmp_path, patient.generic, OTHER).train(1)
    assert patient.train(1, name="again").model.read_bytes() == first.model.read_bytes()


def test_a_round_starts_from_no_other_patients_weights(patient, tmp_path):
    patient.train(1)
    other = Patient(tmp_path, patient.generic, OTHER).train(1)
    with pytest.raises(
        UserError, match="holds round 1 of subject 200002 in arm 'paper', not round 1 of subject 200001"
    ):
        patient.train(2, previous=other.model)


def test_a_round_starts_from_no_other_arm_or_round(patient, tmp_path):
    other = Patient(tmp_path, patient.generic, SUBJECT, "forward").train(1)
    with pytest.raises(UserError, match="in arm 'forward', not round 1 of subject 200001 in arm 'paper'"):
        patient.train(2, previous=other.model)
    patient.train(1)
    second = patient.train(2)
    with pytest.raises(UserError, match=r"holds round 2 of .*, not round 1 of"):
        patient.train(2, previous=second.model, name="again")


def test_a_round_starts_from_no_other_configuration(patient):
    patient.train(1, digest="an-older-digest")
    with pytest.raises(UserError, match=r"round-1/model\.safetensors: was made with another configuration"):
        patient.train(2)


def test_a_round_starts_from_no_round_with_other_training_draws(patient):
    patient.train(1)
    write_split(patient.split, SUBJECT, patient.rounds[::-1], patient.test)
    with pytest.raises(
        UserError, match=r"round-1/model\.safetensors: was trained on other draws than .* round 1;"
    ) as caught:
        patient.train(2)
    assert "\n" not in str(caught.value)


def test_a_round_starts_from_no_other_generic_model(patient, tmp_path):
    patient.train(1)
    patient.generic = write_generic_model(tmp_path / "newer.safetensors", seed=8)
    with pytest.raises(UserError, match=r"it is based on another generic model than .*newer\.safetensors"):
        patient.train(2)


def test_a_draw_on_both_sides_of_the_split_is_refused(patient):
    write_split(patient.split, SUBJECT, patient.rounds, [patient.draws[0], *patient.test])
    with pytest.raises(UserError, match=rf"split\.json: draw {patient.draws[0]} is used twice"):
        patient.train(1)


def test_beats_of_other_draws_do_not_change_the_weights(patient):
    before = patient.train(1)
    rewrite_beats(patient.shard, patient.draws[2:], 3.0)
    assert patient.train(1, name="again").model.read_bytes() == before.model.read_bytes()
    rewrite_beats(patient.shard, patient.draws[:1], 3.0)
    assert largest_change(before.model, patient.train(1, name="again").model) > 1e-4


def test_replay_trains_on_earlier_pairs_again(patient):
    replay = dataclasses.replace(ARM, replay=True)
    patient.train(1)
    alone, replayed = patient.train(2), patient.train(2, replay, name="replay")
    rewrite_beats(patient.shard, patient.draws[:2], 3.0)
    assert patient.train(2, name="again").model.read_bytes() == alone.model.read_bytes()
    assert largest_change(replayed.model, patient.train(2, replay, name="again").model) > 1e-4


def test_labels_follow_the_order_in_the_pair(patient):
    """With the pair reversed, the same beats train the opposite."""
    taught = dataclasses.replace(ARM, epochs=30, train="all", batch_norm="adapt")
    straight = patient.train(1, taught)
    write_split(patient.split, SUBJECT, [pair[::-1] for pair in patient.rounds], patient.test)
    turned = patient.train(1, taught, name="turned")
    logits = {
        name: read_table(out.predictions, "predictions")["logit"].to_numpy()[:2]
        for name, out in (("straight", straight), ("turned", turned))
    }
    assert logits["straight"][0] > logits["straight"][1]
    assert logits["turned"][0] < logits["turned"][1]


@pytest.mark.parametrize(
    ("trained", "n_trained_stages"), [("head", 1), *(("last_stages", n) for n in (1, 2, 3, 4)), ("all", 1)]
)
@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
def test_a_round_stores_exactly_what_its_arm_trains(patient, trained, n_trained_stages, batch_norm):
    arm = dataclasses.replace(ARM, train=trained, batch_norm=batch_norm, epochs=1)
    personal = dataclasses.replace(PERSONAL, n_trained_stages=n_trained_stages)
    stored = weights(patient.train(1, arm, personal=personal).model)
    stages = [f"stage{stage}" for stage in range(5 - n_trained_stages, 5)]
    parts = {
        "head": set(),
        "last_stages": {*stages, "norm"},
        "all": {"stem", *(f"stage{n}" for n in range(1, 5)), "norm"},
    }
    assert {name.split(".")[0] for name in stored} == {"head"} | parts[trained]
    generic = weights(patient.generic)
    running = [name for name in stored if "running" in name]
    assert bool(running) == (batch_norm == "adapt" and trained != "head")
    assert all(not torch.equal(stored[name], generic[name]) for name in running)


def test_from_scratch_nothing_is_transferred(patient):
    still = dataclasses.replace(ARM, train="from_scratch", batch_norm="adapt", learning_rate=1e-30)
    stored, generic = weights(patient.train(1, still).model), weights(patient.generic)
    convolutions = [name for name, tensor in stored.items() if tensor.dim() == 3]
    assert stored.keys() == generic.keys()
    assert not any(torch.equal(stored[name], generic[name]) for name in convolutions)


@pytest.mark.parametrize("trained", ["last_stages", "head"])
@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
def test_training_on_stored_features_equals_training_with_full_forward_passes(patient, trained, batch_norm):
    arm = dataclasses.replace(ARM, train=trained, batch_norm=batch_norm)
    patient.train(1, arm)
    out = patient.train(2, arm)
    network, beats = load_generic(patient.generic, NETWORK)[0], read_beats(patient.shard)
    network.reset_head(seed_of(2022, "head", SUBJECT, "paper"))
    network.freeze_through(4 if trained == "head" else 3)
    if batch_norm == "frozen":
        network.freeze_batch_norm()
    for round_, pair in enumerate(patient.rounds, start=1):
        lesson = beats.take(np.isin(beats.draw_ids, pair))
        labels = torch.from_numpy((lesson.draw_ids == pair[0]).astype(np.float32))
        train(
            network, torch.from_numpy(lesson.beats_mv), labels, arm, seed_of(2022, "personal", SUBJECT, "paper", round_)
        )
    expected = draw_predictions(beat_logits(network, beats.beats_mv), beats.rows, {}, "vote")["logit"].to_numpy()
    np.testing.assert_allclose(read_table(out.predictions, "predictions")["logit"].to_numpy(), expected, atol=1e-5)


def test_features_of_another_generic_model_or_other_beats_are_refused(patient, tmp_path):
    patient.pass_through()
    inputs = read_beats(patient.shard).inputs
    other = write_generic_model(tmp_path / "newer.safetensors", seed=8)
    with pytest.raises(UserError, match=r"features\.safetensors: was made from another generic model or other beats"):
        read_inputs(patient.features, patient.shard, other, inputs, 3)
    rewrite_beats(patient.shard, patient.draws[:1], 1.0)
    with pytest.raises(UserError, match=r"features\.safetensors: was made from another generic model or other beats"):
        read_inputs(patient.features, patient.shard, patient.generic, inputs, 3)


def test_a_subject_in_the_generic_training_cannot_be_personalized(patient, tmp_path):
    tensors, lineage = load_checkpoint(patient.generic)
    patient.generic = tmp_path / "generic.safetensors"
    save_checkpoint(patient.generic, tensors, dataclasses.replace(lineage, draws=(patient.draws[2],)))
    with pytest.raises(UserError, match=f"the generic network was trained on draw {patient.draws[2]}"):
        patient.pass_through()


def test_a_round_starts_from_the_weights_of_the_round_before(patient):
    still = dataclasses.replace(ARM, learning_rate=0.0)
    first = patient.train(1)
    second = patient.train(2, still)
    before, after = weights(first.model), weights(second.model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_every_first_round_has_its_own_new_head(patient, tmp_path):
    still = dataclasses.replace(ARM, learning_rate=1e-30)
    patients = [
        patient,
        Patient(tmp_path, patient.generic, OTHER),
        Patient(tmp_path, patient.generic, SUBJECT, "forward"),
    ]
    heads = [weights(each.train(1, still).model)["head.weight"] for each in patients]
    heads += [weights(patient.train(1, still, seed=1, name="seed").model)["head.weight"]]
    heads += [weights(patient.generic)["head.weight"]]
    assert len({tuple(head.flatten().tolist()) for head in heads}) == 5


def test_predictions_are_those_of_the_stored_round(patient):
    patient.train(1, dataclasses.replace(ARM, batch_norm="adapt"))
    out = patient.train(2, dataclasses.replace(ARM, batch_norm="adapt"))
    network, lineage = load_round(out.model, patient.generic, NETWORK)
    beats = read_beats(patient.shard)
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(beats.beats_mv)).numpy()
    roles = draw_roles(read_json(patient.split), lineage.round)
    expected = draw_predictions(logits, beats.rows, roles, "vote")
    assert read_table(out.predictions, "predictions").equals(expected)


def test_a_round_that_the_split_does_not_have_is_refused(patient):
    patient.train(1)
    patient.train(2)
    with pytest.raises(UserError, match=r"split\.json: has 2 rounds .*so there is no round 3"):
        patient.train(3)


def test_a_training_draw_without_beats_is_named(patient):
    write_split(patient.split, SUBJECT, [(patient.draws[0], 77)], patient.test)
    with pytest.raises(UserError, match=r"beats\.parquet: has no beats of draw 77"):
        patient.train(1)


def test_a_round_logs_its_training_draws(patient, caplog):
    caplog.set_level("INFO", "kalemia")
    patient.train(1)
    patient.train(2, dataclasses.replace(ARM, replay=True))
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("round")]
    a, b, c, d = patient.draws[:4]
    assert lines == [
        f"round 1: training on draws {a} (positive) and {b} (negative)",
        f"round 2: training on draws {a}, {c} (positive) and {b}, {d} (negative)",
    ]
