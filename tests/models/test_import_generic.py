import dataclasses

import pytest
import torch

from beat_shards import NETWORK
from kalemia.core.config import Network, Range
from kalemia.core.errors import UserError
from kalemia.core.tables import read_json, read_table
from kalemia.models.import_generic import check_import, fitting_study, import_generic
from kalemia.models.model_folder import folder_hash, read_model_config, read_model_folder
from kalemia.network.checkpoints import file_hash, load_generic
from model_folders import write_model

GENERIC = {"kind": "generic", "subject_id": None, "arm": None, "round": None}
NAMES = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json", "comparators.parquet")


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model", **GENERIC)


@pytest.fixture
def fitting(study, model):
    """A study that imports the network of the model folder."""
    study = dataclasses.replace(study, generic=dataclasses.replace(study.generic, model=str(model)))
    return fitting_study(read_model_config(model), study)


def test_the_imported_network_is_that_of_the_folder_with_the_study_s_digest(fitting, model, tmp_path):
    import_generic(fitting, True, *(tmp_path / name for name in NAMES))
    network, lineage = load_generic(tmp_path / NAMES[0], NETWORK)
    expected = read_model_folder(model)[1].state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert lineage.digest == fitting.digest("import_generic")
    assert lineage.parent == file_hash(model / "model.safetensors")
    assert lineage.draws == (1, 2)
    metrics = read_json(tmp_path / "metrics.json")
    assert (metrics["imported"], metrics["simulated"]) == (folder_hash(model), True)
    for kind in ("history", "predictions", "comparators"):
        assert len(read_table(tmp_path / f"{kind}.parquet", kind, digest=fitting.digest("import_generic"))) == 0


def test_ids_of_draws_that_mean_other_draws_here_are_left_out(fitting, tmp_path):
    import_generic(fitting, False, *(tmp_path / name for name in NAMES))
    assert load_generic(tmp_path / NAMES[0], NETWORK)[1].draws == ()


@pytest.mark.parametrize(
    ("section", "changes", "key"),
    [
        (None, {"network": Network(depth=18, width=4)}, "network"),
        ("ecg", {"band_hz": (1.0, 40.0)}, "ecg"),
        ("cohort", {"lead": "V5"}, "cohort.lead"),
        ("beats", {"mask_next_beat": True}, "beats.mask_next_beat"),
        ("analyte", {"positive": Range(above=6.0)}, "analyte.positive"),
    ],
)
def test_a_study_that_does_not_fit_is_refused_with_the_key(fitting, section, changes, key):
    part = {section: dataclasses.replace(getattr(fitting, section), **changes)} if section else changes
    with pytest.raises(UserError) as error:
        check_import(dataclasses.replace(fitting, **part))
    assert str(error.value).startswith(f"config: {key}: is ")
    assert "\n" not in str(error.value)


def test_how_beats_are_chosen_may_differ(fitting):
    check_import(dataclasses.replace(fitting, beats=dataclasses.replace(fitting.beats, min_per_draw=20)))


def test_a_personal_network_is_no_generic_one(study, tmp_path):
    folder = write_model(tmp_path / "personal")
    study = dataclasses.replace(study, generic=dataclasses.replace(study.generic, model=str(folder)))
    with pytest.raises(UserError, match=r"has a network of one patient \(p010059, forward, round 2\)"):
        check_import(study)
