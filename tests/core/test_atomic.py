"""Files and folders that appear whole or not at all."""

import errno
import os
import threading
from pathlib import Path

import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file, atomic_folder, is_part, make_folder


def test_nothing_is_left_of_a_file_whose_writing_failed(tmp_path):
    def write_and_fail():
        with atomic_file(tmp_path / "a") as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def calls(monkeypatch):
    """What is flushed and renamed, in order."""
    calls, replace, rename = [], os.replace, os.rename
    monkeypatch.setattr(os, "fsync", lambda number: calls.append(("flush", os.readlink(f"/proc/self/fd/{number}"))))
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append(("rename", *map(str, paths))) or replace(*paths))
    monkeypatch.setattr(os, "rename", lambda *paths: calls.append(("rename", *map(str, paths))) or rename(*paths))
    return calls


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the test looks up open files in /proc")
def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, calls):
    with atomic_file(tmp_path / "a") as part:
        part.write_text("whole")
    expected = [("flush", str(part)), ("rename", str(part), str(tmp_path / "a")), ("flush", str(tmp_path))]
    assert calls == expected


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the test looks up open files in /proc")
def test_a_folder_has_its_name_after_all_its_files_are_on_the_disk(tmp_path, calls):
    with atomic_folder(tmp_path / "batch") as folder:
        for name in "ab":
            with atomic_file(folder / name) as part:
                part.write_text("whole")
    assert calls[-2:] == [("rename", str(folder), str(tmp_path / "batch")), ("flush", str(tmp_path))]
    assert [call[0] for call in calls[:-2]] == ["flush", "rename", "flush"] * 2


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    """As in two containers, each of which has the process id 1."""
    failed, start = [], threading.Barrier(4)

    def write(text):
        start.wait()
        for _ in range(20):
            try:
                with atomic_file(tmp_path / "a") as part:
                    part.write_text(text * 1000)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (tmp_path / "a").read_text() in {text * 1000 for text in "abcd"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_every_file_has_the_mode_that_the_umask_says(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with atomic_file(tmp_path / "a.safetensors") as part:
            save_file({}, part)  # which makes files of mode 0600
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == mode


def test_parts_are_told_from_files(tmp_path):
    with atomic_file(tmp_path / "a.parquet") as part, atomic_folder(tmp_path / "batch-0") as folder:
        assert is_part(part.name)
        assert is_part(folder.name)
        part.touch()
    assert not any(is_part(path.name) for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error", "line"),
    [
        ("a.parquet", OSError(errno.ENOSPC, "Error writing bytes to file"), "a.parquet: No space left on device; free"),
        (
            "a.safetensors",
            SafetensorError("I/O error: x (os error 28)"),
            "a.safetensors: No space left on device; free",
        ),
        ("a", PermissionError(errno.EACCES, "", "/data/input"), "/data/input: Permission denied; give yourself"),
    ],
)
def test_an_error_of_the_machine_names_the_file(tmp_path, name, error, line):
    with pytest.raises(UserError) as caught, atomic_file(tmp_path / name):
        raise error
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(line)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: File exists; a file has the name"), atomic_file(tmp_path / "file/a"):
        pass


@pytest.mark.parametrize("error", [ZeroDivisionError(), UserError("no")])
def test_other_errors_stay_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, atomic_file(tmp_path / "a"):
        raise error
    assert caught.value is error


def test_no_file_takes_the_place_of_a_pipe_or_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: is a device or a pipe"), atomic_file(tmp_path / "pipe") as part:
        part.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert not (tmp_path / "pipe").is_file()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no place like /proc")
@pytest.mark.parametrize("open_", [atomic_file, atomic_folder])
def test_a_place_that_takes_no_files_is_one_line(open_):
    with (
        pytest.raises(UserError, match="/proc/x: nothing can be written there; choose another place"),
        open_("/proc/x"),
    ):
        pass
    with pytest.raises(UserError, match="/proc/x/y: nothing can be written there"):
        make_folder(Path("/proc/x/y"))


@pytest.mark.parametrize("open_", [atomic_file, atomic_folder])
def test_a_file_in_place_of_a_folder_is_named_and_not_a_part(open_, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a part of this path is a file") as caught, open_(tmp_path / "file/a/b"):
        pass
    assert ".part" not in str(caught.value)
