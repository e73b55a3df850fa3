import json
from pathlib import Path

import pytest

from kalemia.cli import main
from kalemia.core.errors import UserError
from kalemia.models.registry import Registry
from model_folders import write_model

PERSONAL = "p010059/forward/round-2"
GENERIC = {"kind": "generic", "subject_id": None, "arm": None, "round": None}


@pytest.fixture
def registry(tmp_path):
    """A registry with two rounds of a patient and a generic network."""
    registry = Registry(tmp_path / "registry")
    for place, changes in {"r10": {"round": 10}, "r2": {}, "generic": GENERIC}.items():
        registry.add(write_model(tmp_path / place, **changes))
    return registry


def _contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_models_are_listed_by_patient_and_round_with_generic_ones_last(registry, tmp_path):
    personal, later, generic = registry.names()
    assert (personal, later) == (PERSONAL, "p010059/forward/round-10")
    assert generic.startswith("generic/")
    assert _contents(registry.path(personal)) == _contents(tmp_path / "r2")
    assert list(registry.faults()) == []


def test_the_same_model_again_changes_nothing_and_another_of_its_name_is_refused(registry, tmp_path):
    before = _contents(tmp_path / "registry")
    assert registry.add(tmp_path / "r2") == PERSONAL
    with pytest.raises(UserError, match="is another model of this patient and round"):
        registry.add(write_model(tmp_path / "other", seed=8))
    assert _contents(tmp_path / "registry") == before


def test_a_damaged_model_is_not_added_and_nothing_is_left(tmp_path):
    model = write_model(tmp_path / "model")
    (model / "README.md").write_text("another card")
    with pytest.raises(UserError, match=r"README\.md: was changed"):
        Registry(tmp_path / "registry").add(model)
    assert not (tmp_path / "registry").exists()


def test_a_model_whose_arm_is_a_path_is_refused(tmp_path):
    model = write_model(tmp_path / "model", arm="../../elsewhere")
    with pytest.raises(UserError, match="arm has a value that no network has"):
        Registry(tmp_path / "registry").add(model)
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


@pytest.mark.parametrize("name", ["../r2", "p010059/../../r2", "/etc", "p010059", "p010059/forward/round-2/", ""])
def test_what_is_no_name_of_a_model_is_refused(registry, name):
    with pytest.raises(UserError, match="is not the name of a model"):
        registry.path(name)


def test_a_link_out_of_the_registry_is_not_followed(registry, tmp_path):
    (tmp_path / "registry/p000007").mkdir()
    (tmp_path / "registry/p000007/forward").symlink_to(tmp_path / "registry/p010059/forward")
    (tmp_path / "registry/p000008/forward").mkdir(parents=True)
    (tmp_path / "registry/p000008/forward/round-1").symlink_to(tmp_path / "r2")
    with pytest.raises(UserError, match="is not in the registry"):
        registry.path("p000008/forward/round-1")
    assert len([fault for fault in registry.faults() if "does not belong to a model" in fault]) == 2


def _flip(path: Path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_verify_names_every_bad_file_in_a_line_of_its_own(registry, tmp_path, capsys):
    folder = tmp_path / "registry"
    assert main(["registry", "verify", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("3 models, every file as it was written.")
    _flip(folder / PERSONAL / "model.safetensors")
    (folder / PERSONAL / "README.md").unlink()
    (folder / "p010059/forward/round-10/notes.txt").write_text("a note")
    fields = json.loads((folder / "p010059/forward/round-10/config.json").read_text())
    fields["model"]["threshold"] = 0.1
    (folder / "p010059/forward/round-10/config.json").write_text(json.dumps(fields))
    assert main(["registry", "verify", str(folder)]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.partition(": ")[0].removeprefix(f"{folder}/") for line in lines] == [
        f"{PERSONAL}/model.safetensors",
        f"{PERSONAL}/README.md",
        "p010059/forward/round-10/config.json",
        "p010059/forward/round-10/notes.txt",
    ]
    assert said.err == f"kalemia: {folder}: 4 files of 3 models not as written\n"


def test_a_model_in_another_s_place_is_found(registry, tmp_path):
    folder = tmp_path / "registry"
    (folder / PERSONAL).rename(folder / "p010059/forward/round-3")
    (fault,) = registry.faults()
    assert fault.endswith(f"round-3: holds the model {PERSONAL}")


def test_the_commands_add_list_and_show(tmp_path, capsys):
    folder, model = str(tmp_path / "registry"), str(write_model(tmp_path / "model"))
    assert main(["registry", "add", folder, model]) == 0
    assert PERSONAL in capsys.readouterr().out
    assert main(["registry", "list", folder]) == 0
    said = capsys.readouterr().out
    assert PERSONAL in said
    assert "Research use only, not a medical device." in said
    assert main(["registry", "show", folder, PERSONAL]) == 0
    said = capsys.readouterr().out
    assert "# A card" in said
    assert "Research use only, not a medical device." in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "none"],
        ["verify", "none"],
        ["show", "none", PERSONAL],
        ["show", "registry", "../model"],
        ["add", "new", "none"],
    ],
)
def test_what_is_not_there_is_refused_in_one_line(registry, tmp_path, arguments, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["registry", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("kalemia: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["list", "verify"])
def test_a_folder_without_a_model_and_a_file_are_no_registry(tmp_path, capsys, command):
    (tmp_path / "notes.txt").write_text("not a model")
    assert main(["registry", command, str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("holds no model; name the folder that `kalemia registry add` was given\n")
    assert main(["registry", command, str(tmp_path / "notes.txt")]) == 1
    assert capsys.readouterr().err.endswith("notes.txt: is a file; a registry is a folder\n")
