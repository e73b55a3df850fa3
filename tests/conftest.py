"""What several test files use: the default configuration, and where the real data lie."""

import copy
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

pytest_plugins = ["report_pages", "monitored_record"]  # fixtures that take long: made once

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"


# `CI` set: the same examples in every run; HYPOTHESIS_PROFILE=nightly: many more, and new ones each time
settings.register_profile("local", deadline=None, derandomize=False)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", deadline=None, derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))


def pytest_configure(config):
    """No test but those of `-m gpu` sees a GPU, whose results differ in their last bits from run to run."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(items):
    """Tests that run Snakemake come first, so that at the end no core waits for a long file of another."""
    items.sort(key=lambda item: not item.get_closest_marker("workflow"))


def pytest_make_parametrize_id(val, argname):
    """Bytes are numbered, not shown: gzip holds the time, and two workers would name one test differently."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """A test that runs a job in this process leaves no mark on those after it."""
    monkeypatch.setattr("kalemia.core.jobs._is_job", False)


@pytest.fixture(scope="session")
def default_config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture(scope="session")
def schema():
    return yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture
def config(default_config):
    """The default configuration, to be changed at will."""
    return copy.deepcopy(default_config)


@pytest.fixture(scope="session")
def study(default_config):
    from kalemia.core.config import Study

    return Study.from_config(default_config)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings and tables."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real recordings and tables are not at {REAL_DATA}")
    return REAL_DATA
