"""Personalization in memory: the network that the workflow's rounds train."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
import torch

from beat_shards import NETWORK, START
from ecg_signals import regular_ecg
from kalemia import personalize
from kalemia.beats.segment_beats import write_beats
from kalemia.core.config import Arm, Personal
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.models.model import Model
from kalemia.network.checkpoints import Lineage, load_round, save_checkpoint
from kalemia.network.resnet import build_resnet
from kalemia.personal.arms import write_subject_split
from kalemia.personal.finetune import train_round
from kalemia.personal.frozen_stages import write_features
from model_folders import model_config

SUBJECT, SEED, RATE_HZ = 7, 5, 125
LABELS = [1, None, 0, 1, 0, 1, 0, 1, 0]  # the last four are a forward test
ARM = Arm(epochs=2)
GENERIC = {"kind": "generic", "subject_id": None, "arm": None, "round": None, "train": None, "wave": None}


@pytest.fixture(scope="module")
def generic():
    return Model(model_config(**GENERIC), build_resnet(NETWORK, seed=7).eval())


@pytest.fixture(scope="module")
def excerpts():
    """Five minutes and a bit before each draw, in noise; the beat grows with the label."""
    random = np.random.default_rng(3)
    heights = [1.0 + 0.3 * (label or 0) for label in LABELS]
    clean_mv = regular_ecg(RATE_HZ, 310)
    return [(height * clean_mv + 0.03 * random.standard_normal(len(clean_mv))).astype(np.float32) for height in heights]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory, generic, excerpts):
    """The files of the same patient's two rounds, as the jobs of the workflow write them."""
    folder = tmp_path_factory.mktemp("workflow")
    rows = []
    for i, (ecg_mv, label) in enumerate(zip(excerpts, LABELS, strict=True)):
        segment = {"name": f"s{i}", "start": 0, "stop": len(ecg_mv), "gain": 1.0, "baseline": 0}
        about = {"subject_id": SUBJECT, "draw_id": i, "draw_time": START + timedelta(hours=6 * i), "label": label}
        about |= {"value": {1: 6.0, 0: 4.0, None: 5.2}[label], "recording": f"r{i}", "sample_from": 0, "rate_hz": 125.0}
        rows.append(about | {"ecg_mv": ecg_mv, "segments": [segment]})
    write_table(folder / "excerpts", "excerpts", table_from_rows("excerpts", rows))
    write_beats(folder / "excerpts", generic.config.beat_settings, {}, "", folder / "shard", folder / "quality")
    lineage = Lineage("generic", NETWORK, "d", (), START)
    save_checkpoint(folder / "generic", generic.network.state_dict(), lineage)
    personal = Personal()
    write_features(folder / "shard", folder / "generic", NETWORK, personal.n_trained_stages, 1, folder / "features")
    files = folder / "quality", folder / "shard", "forward", ARM, personal, SEED, "d", folder / "split"
    write_subject_split(*files)
    for k in (1, 2):
        train_round(
            round_=k,
            split_path=folder / "split",
            shard_path=folder / "shard",
            features_path=folder / "features",
            generic_path=folder / "generic",
            previous_path=folder / f"round-{k - 1}" if k > 1 else None,
            network=NETWORK,
            arm=ARM,
            personal=personal,
            seed=SEED,
            digest="d",
            decision="vote",
            model_path=folder / f"round-{k}",
            predictions_path=folder / f"predictions-{k}",
            metrics_path=folder / f"metrics-{k}",
        )
    return folder


@pytest.fixture(scope="module")
def personal(generic, excerpts):
    return personalize(generic, excerpts[:5], LABELS[:5], subject_id=SUBJECT, arm=ARM, seed=SEED)


def test_the_network_is_the_one_that_the_workflow_trains_to_the_last_bit(personal, workflow):
    expected, _ = load_round(workflow / "round-2", workflow / "generic", NETWORK)
    assert personal.config.round == 2
    for name, tensor in personal.network.state_dict().items():
        assert torch.equal(tensor, expected.state_dict()[name]), name


def test_its_probabilities_of_later_excerpts_are_those_of_the_workflow(personal, workflow, excerpts):
    expected = read_table(workflow / "predictions-2", "predictions")["probability"].to_pylist()
    for i in range(5, len(LABELS)):
        assert personal.assess_window(excerpts[i]).probability == expected[i]


def test_the_generic_model_and_the_threads_of_torch_stay_as_they_were(generic, excerpts):
    before = {name: tensor.clone() for name, tensor in generic.network.state_dict().items()}
    threads = torch.get_num_threads()
    personalize(generic, excerpts[:3], [1, None, 0], arm=ARM)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generic.network.state_dict().items())
    assert generic.config.kind == "generic"
    assert torch.get_num_threads() == threads


def test_the_result_says_what_it_learned_from(personal):
    config = personal.config
    assert (config.kind, config.subject, config.arm, config.round) == ("personal", "p000007", "forward", 2)
    assert config.draws == (0, 2, 3, 4)
    assert config.calibration is None
    assert config.metrics.n_test == 0
    assert config.mean_beat_mv.shape == (120,)
    assert config.wave is not None


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 0], "5 excerpts have 2 labels"),
        ([1, 1, None, 1, 1], "4 positive and 0 negative excerpts are usable, and one of each is needed"),
        ([1, 2, 0, 1, 0], "2 is not a label"),
    ],
)
def test_labels_that_do_not_do_are_refused_in_one_line(generic, excerpts, labels, said):
    with pytest.raises(UserError) as error:
        personalize(generic, excerpts[:5], labels)
    assert str(error.value).startswith(said)


def test_no_excerpts_are_refused_in_one_line(generic):
    with pytest.raises(UserError, match="there are no excerpts"):
        personalize(generic, [], [])


def test_an_excerpt_without_enough_ecg_is_named(generic, excerpts):
    with pytest.raises(UserError, match=r"1 positive and 0 negative .* \(excerpt 1: gap\)$"):
        personalize(generic, [excerpts[0], excerpts[2][:10_000]], [1, 0])


def test_a_personal_model_and_a_second_output_are_refused(generic, personal, excerpts):
    with pytest.raises(UserError, match="the model is of one patient"):
        personalize(personal, excerpts[:2], [1, 0])
    network = dataclasses.replace(NETWORK, auxiliary_head="regression")
    estimating = Model(dataclasses.replace(generic.config, network=network), generic.network)
    with pytest.raises(UserError, match="labels are not enough to train it"):
        personalize(estimating, excerpts[:2], [1, 0])
