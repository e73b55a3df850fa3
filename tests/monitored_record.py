"""Fixtures of the monitor: a model folder, and a record that it can be applied to."""

import numpy as np
import pytest

from ecg_signals import clean_ecg
from kalemia.cli import main
from kalemia.monitor.windows import MINUTE
from model_folders import write_model
from simulated_course import write_record


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Of a personal network with random weights."""
    return write_model(tmp_path_factory.mktemp("models") / "model", wave=None)


@pytest.fixture(scope="session")
def record(tmp_path_factory):
    """A record of 24 minutes, whose sixteenth to eighteenth are missing."""
    random, n = np.random.default_rng(3), 24 * MINUTE
    ecg_mv = clean_ecg(np.cumsum(random.integers(85, 105, 2400)), n) + random.normal(0, 0.02, n)
    ecg_mv[15 * MINUTE : 18 * MINUTE] = np.nan
    return write_record(tmp_path_factory.mktemp("records"), "record", [ecg_mv])


@pytest.fixture(scope="session")
def monitored(model_folder, record, tmp_path_factory):
    """The folder that `kalemia monitor` wrote of the record, with known values."""
    out, known = tmp_path_factory.mktemp("monitor") / "out", tmp_path_factory.mktemp("known") / "potassium.csv"
    known.write_text("hours,potassium\n0.05,4.4\n0.35,5.9\n")
    arguments = ["--model", model_folder, "--record", record, "--out", out, "--potassium", known]
    assert main(["monitor", *map(str, arguments)]) == 0
    return out
