import dataclasses
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from beat_shards import write_generic_cohort
from kalemia.core import config
from kalemia.core.tables import file_hash
from kalemia.network.train_generic import train_generic
from kalemia.network.training_state import StateFile, training_identity

NETWORK = config.Network(depth=18, width=2)
SETTINGS = config.Generic(
    epochs=5, batch_size=32, learning_rate=1e-2, lr_patience=1, lr_decay_factor=0.5, threads=1, sampler="per_subject",
    augmentation=config.Augmentation(amplitude=0.1, baseline=0.05, shift=2, noise=0.02),
)  # fmt: skip
FILES = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")
SAME_BYTES = ("model.safetensors", "predictions.parquet", "metrics.json")  # the history has seconds

KILLED = """
import os, signal, sys
import test_resume
from kalemia.network import training_state as resume
from kalemia.core.files import atomic
step, save, replace, saved = sys.argv[1], resume.StateFile.save, os.replace, []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def counted(self, *state):
    saved.append(self)
    save(self, *state)
    if step == "between epochs" and len(saved) == 2:
        die()

def interrupted(*paths):
    if step == "while a state is written" and len(saved) == 3:
        die()
    if step == "after the last epoch" and len(saved) == 5:
        replace(*paths)
        die()
    replace(*paths)

resume.StateFile.save, atomic.os.replace = counted, interrupted
test_resume.trained(*sys.argv[2:])
"""


def trained(draws_path, beats_path, folder, settings=SETTINGS, digest="a-digest"):
    paths = [Path(folder) / name for name in FILES]
    train_generic(draws_path, beats_path, NETWORK, settings, 2022, digest, "vote", *paths)


def state_of(folder) -> Path:
    return folder / "model.safetensors.state"


def hashes(folder) -> dict[str, str]:
    return {name: file_hash(folder / name) for name in SAME_BYTES}


def killed(step, draws_path, beats_path, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, step, draws_path, beats_path, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A small simulated cohort, and the bytes of a training that nobody interrupted."""
    folder = tmp_path_factory.mktemp("resume")
    draws_path, beats_path = write_generic_cohort(folder / "cohort", subjects_per_split=4, beats_per_draw=30)
    trained(draws_path, beats_path, folder / "whole")
    return draws_path, beats_path, hashes(folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "epochs"), [("between epochs", 2), ("while a state is written", 2), ("after the last epoch", 5)]
)
def test_a_killed_training_resumes_to_the_same_bytes(cohort, tmp_path, caplog, step, epochs):
    draws_path, beats_path, whole = cohort
    killed(step, draws_path, beats_path, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    with caplog.at_level(logging.INFO, logger="kalemia"):
        trained(draws_path, beats_path, tmp_path)
    assert f"resuming after epoch {epochs}, from {state_of(tmp_path)}" in caplog.messages
    assert hashes(tmp_path) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


@pytest.mark.slow
def test_a_state_of_another_configuration_is_not_used(cohort, tmp_path, caplog):
    draws_path, beats_path, _ = cohort
    killed("between epochs", draws_path, beats_path, tmp_path)
    with caplog.at_level(logging.INFO, logger="kalemia"):
        trained(draws_path, beats_path, tmp_path, digest="another")
    assert f"{state_of(tmp_path)}: belongs to another training run; starting over" in caplog.messages
    assert "epoch 1 of 5" in " ".join(caplog.messages)


@pytest.mark.slow
def test_a_state_of_other_beats_is_not_used(cohort, tmp_path, caplog):
    draws_path, beats_path, _ = cohort
    killed("between epochs", draws_path, beats_path, tmp_path)
    others, other_beats = write_generic_cohort(tmp_path / "other", subjects_per_split=4, beats_per_draw=31)
    with caplog.at_level(logging.INFO, logger="kalemia"):
        trained(others, other_beats, tmp_path)
    assert "starting over" in " ".join(caplog.messages)


def test_a_damaged_state_file_is_ignored(tmp_path):
    state = StateFile(tmp_path / "state", "me")
    state.save({"a": torch.ones(3)}, {"epoch": 1})
    state.path.write_bytes(state.path.read_bytes()[:-4])
    assert state.load() is None


def test_a_state_file_keeps_tensors_and_numbers_exactly(tmp_path):
    state = StateFile(tmp_path / "state", "me")
    assert state.load() is None
    about = {"loss": 0.1 + 0.2, "best": float("inf"), "history": [{"epoch": 1}]}
    state.save({"a": torch.rand(3, 4).T, "n": torch.tensor(7)}, about)
    tensors, found = state.load()
    assert found == about
    assert tensors["n"] == 7
    assert StateFile(state.path, "somebody else").load() is None
    state.remove()
    assert list(tmp_path.iterdir()) == []


def test_identity_depends_on_everything_that_determines_the_outcome():
    device, beats = torch.device("cpu"), torch.rand(4, 120)
    identities = {
        training_identity("digest", device, beats),
        training_identity("other", device, beats),
        training_identity("digest", torch.device("cuda"), beats),
        training_identity("digest", device, beats.flip(0)),
        training_identity("digest", device, beats[:2], beats[2:]),
    }
    assert len(identities) == 5
    assert training_identity("digest", device, beats.clone()) in identities


def test_a_failed_training_keeps_its_state_and_other_settings_ignore_it(cohort, tmp_path, monkeypatch):
    draws_path, beats_path, _ = cohort

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("kalemia.network.train_generic.save_checkpoint", full)
        with pytest.raises(OSError, match="no space left"):
            trained(draws_path, beats_path, tmp_path)
    assert state_of(tmp_path).exists()
    trained(draws_path, beats_path, tmp_path, dataclasses.replace(SETTINGS, epochs=1), digest="shorter")
    assert not state_of(tmp_path).exists()
