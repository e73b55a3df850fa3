import dataclasses
from pathlib import Path

import pytest

from conftest import ROOT
from kalemia import __version__
from kalemia.cli import main
from kalemia.core.config_files import config_text


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_say_what_kalemia_is_not(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main([option])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Research use only, not a medical device." in said
    assert option == "--help" or said.startswith(f"kalemia {__version__}. ")


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 0
    assert "rebuild the evaluation and all pages" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["beats", "predict", "plan", "registry verify"])
def test_the_help_of_a_command_begins_with_what_it_does(command, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    usage, does, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(f"usage: kalemia {command} ")
    assert does.endswith(".")


@pytest.mark.parametrize("name", ["folder", "", "folder/.."])
def test_a_folder_in_place_of_a_record_is_called_one(tmp_path, capsys, name):
    (tmp_path / "folder").mkdir()
    assert main(["beats", str(tmp_path / name), "--out", str(tmp_path / "b.parquet")]) == 1
    assert capsys.readouterr().err.endswith("is a folder; name a record in it\n")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no place like /proc")
@pytest.mark.parametrize(
    ("more", "place"), [(["--out", "/proc/x.parquet"], "x.parquet"), (["--plot", "/proc/x.png"], "x.png")]
)
def test_an_output_in_a_place_that_takes_no_files_is_one_line(tmp_path, capsys, more, place):
    ward = str(ROOT / "tests/own/ward-3")
    assert main(["beats", ward, "--lead", "MLII", "--out", str(tmp_path / "b.parquet"), *more]) == 1
    assert capsys.readouterr().err == f"kalemia: /proc/{place}: nothing can be written there; choose another place\n"


def test_an_option_that_is_given_twice_counts_twice(tmp_path, capsys):
    (tmp_path / "1.yaml").write_text(f"results: {tmp_path}/ours\n")
    (tmp_path / "2.yaml").write_text("study: second\n")
    assert main(["status", *(f"--configfile={tmp_path}/{n}.yaml" for n in (1, 2)), "--config=seed=3"]) == 0
    assert capsys.readouterr().out.startswith(f"study second, in {tmp_path}/ours")


def test_status_of_a_finished_study_is_by_the_configuration_that_lies_in_its_results(tmp_path, study, capsys):
    theirs = dataclasses.replace(study, study="theirs")
    (tmp_path / "config.yaml").write_text(config_text(theirs))
    assert main(["status", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"study theirs, in {tmp_path}")


def test_status_of_results_that_are_not_there_is_one_line(tmp_path, capsys):
    assert main(["status", "--results", f"{tmp_path}/nowhere"]) == 1
    assert capsys.readouterr().err.endswith("nowhere: is not a folder; name the results of a study\n")


def test_a_name_that_is_not_utf_8_is_one_line(tmp_path, capsys):
    assert main(["registry", "list", f"{tmp_path}/\udcff"]) == 1
    assert capsys.readouterr().err.endswith("\\udcff': is not UTF-8; rename the file\n")
