"""A wrong bit in a file of any kind is never taken for another value."""

import random
from datetime import datetime

import numpy as np
import pytest
import torch

from kalemia.core import config
from kalemia.core.errors import UserError
from kalemia.core.files.seals import BLANK_SEAL, has_whole_seal, seal_file
from kalemia.core.tables import (
    read_json,
    read_row_groups,
    read_subject_rows,
    read_table,
    table_digest,
    table_from_rows,
    write_json,
    write_table,
)
from kalemia.network.checkpoints import Lineage, load_checkpoint, save_checkpoint
from kalemia.network.training_state import StateFile
from kalemia.personal.cached_features import Origin, load_features, save_features

ROWS = [{"subject_id": s, "draw_id": 10 * s + d, "label": d % 2, "split": "train"} for s in range(9) for d in range(5)]
ORIGIN = Origin("generic", "shard")
LINEAGE = Lineage("generic", config.Network(), "a-digest", draws=(3, 5), cut_off=datetime(2150, 3, 4))


def _write_features(path):
    save_features(path, {"pooled": np.arange(24, dtype=np.float32).reshape(6, 4)}, ORIGIN)


def _read_table(path):
    rows = read_table(path, "generic"), list(read_row_groups(path, "generic")), read_subject_rows(path, "generic", 4)
    return table_digest(path), *rows


def _read_checkpoint(path):
    tensors, lineage = load_checkpoint(path)
    return {name: tensor.tolist() for name, tensor in tensors.items()}, lineage


def _read_state(path):
    """A damaged state is not used, and the log names it."""
    saved = StateFile(path, "me").load()
    if saved is None:
        raise UserError(f"{path}: is damaged")
    return {name: tensor.tolist() for name, tensor in saved[0].items()}, saved[1]


KINDS = {
    "parquet": (
        lambda path: write_table(path, "generic", table_from_rows("generic", ROWS), "a-digest", group_by="subject_id"),
        _read_table,
    ),
    "json": (lambda path: write_json(path, {"digest": "a-digest", "rounds": [[1, 2]], "auc": 0.75}), read_json),
    "features": (_write_features, lambda path: load_features(path, ("pooled",), ORIGIN)[0].tolist()),
    "checkpoint": (lambda path: save_checkpoint(path, {"a": torch.arange(9.0)}, LINEAGE), _read_checkpoint),
    "state": (lambda path: StateFile(path, "me").save({"a": torch.arange(9.0)}, {"epoch": 3}), _read_state),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_is_silent(tmp_path, kind):
    """160 bits of each kind: an error in one line that names the file, or the same values."""
    path = tmp_path / "file"
    write, read = KINDS[kind]
    write(path)
    whole, expected = path.read_bytes(), read(path)
    outcomes = []
    for bit in random.Random(kind).sample(range(8 * len(whole)), 160):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            outcomes.append(read(path) == expected)
        except UserError as error:
            outcomes.append(str(error).startswith(f"{path}: ") and "\n" not in str(error))
    assert outcomes == [True] * 160


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_or_empty_is_refused(tmp_path, kind):
    path = tmp_path / "file"
    write, read = KINDS[kind]
    write(path)
    whole = path.read_bytes()
    for n_bytes in (0, 1, 7, 8, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(UserError, match="file"):
            read(path)


def test_a_seal_covers_all_bytes_from_its_start_on(tmp_path):
    path = tmp_path / "a"
    path.write_text(f"before {BLANK_SEAL} after")
    seal_file(path, 3)
    assert has_whole_seal(path, 3)
    assert not has_whole_seal(path)
    content = path.read_bytes()
    path.write_bytes(b"xyz" + content[3:])
    assert has_whole_seal(path, 3)
    path.write_bytes(content + b" ")
    assert not has_whole_seal(path, 3)


@pytest.mark.parametrize("text", ["", "no seal", BLANK_SEAL, f"{BLANK_SEAL[:-1]}g"])
def test_a_file_without_a_seal_of_its_own_is_not_whole(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert not has_whole_seal(tmp_path / "a")
