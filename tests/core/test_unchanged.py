import os
from multiprocessing import get_context

import pytest

from kalemia.core.errors import UserError
from kalemia.core.files.file_lock import hold_file_lock
from kalemia.core.files.unchanged import unchanged_files


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("longer than before"),
        lambda path: path.unlink(),
        lambda path: os.utime(path, (1, 1)),
        lambda path: (path.rename(path.with_name("old")), path.write_text("1")),
    ],
    ids=["longer", "deleted", "touched", "replaced"],
)
def test_a_source_that_changes_while_it_is_read_is_one_line(tmp_path, change):
    path, missing = tmp_path / "labs.csv", tmp_path / "none.csv"
    path.write_text("1")
    with pytest.raises(UserError, match=r"labs\.csv: was changed while it was read"), unchanged_files([path, missing]):
        change(path)
    if path.exists():
        with unchanged_files([path, missing]):
            path.read_text()


def _add_to(path, times):
    for _ in range(times):
        with hold_file_lock(path.with_name("lock")):
            path.write_text(str(int(path.read_text()) + 1))


def test_processes_hold_a_lock_one_after_the_other(tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    workers = [get_context("fork").Process(target=_add_to, args=(path, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert path.read_text() == "100"
