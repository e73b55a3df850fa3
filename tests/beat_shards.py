"""Simulated beat shards with a planted sign of potassium, for the tests of networks and of what is trained on them."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from kalemia.beats.generic_beats import write_generic_beats
from kalemia.core import config
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, SCHEMAS
from kalemia.core.seeds import rng
from kalemia.core.tables import table_from_rows, write_json, write_table
from kalemia.network.checkpoints import Lineage, save_checkpoint
from kalemia.network.resnet import build_resnet

START = datetime(2150, 3, 1)
T_INDEX = R_INDEX + 35
NETWORK = config.Network(depth=18, width=2)


def simulated_beats(label: int | None, n_beats: int, random: np.random.Generator) -> np.ndarray:
    """Beats (n, 120) in mV: an R peak of 1 mV, and a T wave that is taller and narrower for label 1, in noise."""
    at = np.arange(BEAT_SAMPLES)
    height, width = (0.6, 6.0) if label == 1 else (0.25, 9.0)
    beat = np.exp(-0.5 * ((at - R_INDEX) / 2) ** 2) + height * np.exp(-0.5 * ((at - T_INDEX) / width) ** 2)
    return (beat + 0.1 * random.standard_normal((n_beats, BEAT_SAMPLES))).astype(np.float32)


def write_shard(path, subject_id: int, labels: list[int | None], beats_per_draw: int, seed: int = 1) -> list[int]:
    """Write the shard of a subject whose draws have these labels, six hours apart; returns the draw ids."""
    draw_ids = [subject_id * 1000 + place for place in range(len(labels))]
    tables = []
    for place, (draw_id, label) in enumerate(zip(draw_ids, labels, strict=True)):
        beats_mv = simulated_beats(label, beats_per_draw, rng(seed, "shard", subject_id, draw_id))
        of_draw = {
            "subject_id": subject_id,
            "draw_id": draw_id,
            "draw_time": START + timedelta(hours=6 * place),
            "value": {1: 6.2, 0: 4.1, None: 5.2}[label],
            "label": label,
            "recording": "simulated",
            "segment": "simulated_0001",
            "rr_before_ms": 800.0,
            "rr_after_ms": 800.0,
            "quality": 1.0,
            "fiducial": "R",
            "fiducial_confidence": 1.0,
        }
        tables.append(_beat_table(of_draw, beats_mv))
    write_table(path, "beats", pa.concat_tables(tables), "beats-digest", group_by="draw_id")
    return draw_ids


def _beat_table(of_draw: dict, beats_mv: np.ndarray) -> pa.Table:
    n_beats = len(beats_mv)
    columns = {name: [value] * n_beats for name, value in of_draw.items()}
    columns["r_sample"] = 100 * np.arange(n_beats)
    columns["beat"] = pa.FixedSizeListArray.from_arrays(pa.array(beats_mv.reshape(-1)), BEAT_SAMPLES)
    schema = SCHEMAS["beats"]
    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema)


def write_generic_cohort(folder, subjects_per_split: int, beats_per_draw: int) -> tuple[str, str]:
    """A cohort of one draw a subject, half of each class in each split: the paths of the generic table and the beats.

    The shards lie beside them.
    """
    rows, shards = [], []
    for index, split in enumerate(("train", "validation", "test")):
        for place in range(subjects_per_split):
            subject_id = 100000 + 1000 * index + place
            shards.append(str(folder / f"p{subject_id}.parquet"))
            (draw_id,) = write_shard(shards[-1], subject_id, [place % 2], beats_per_draw)
            rows.append({"subject_id": subject_id, "draw_id": draw_id, "label": place % 2, "split": split})
    draws_path = folder / "generic.parquet"
    write_table(draws_path, "generic", table_from_rows("generic", rows))
    write_generic_beats(shards, "", folder / "beats.parquet")
    return str(draws_path), str(folder / "beats.parquet")


def write_split(path, subject_id: int, rounds: list[tuple[int, int]], test: list[int], arm: str = "paper") -> str:
    """A split in one arm as `kalemia.personal.splits` writes it, of draws six hours apart whose labels take turns."""
    used = sorted({draw for pair in rounds for draw in pair} | set(test))
    draws = [
        {
            "draw_id": draw,
            "time": (START + timedelta(hours=6 * (draw % 1000))).isoformat(),
            "label": 1 - draw % 2,
            "recording": "simulated",
            "admission": 1,
            "segments": [],
            "r_samples": [],
        }
        for draw in used
    ]
    split = {
        "arm": arm,
        "protocol": "paper",
        "purge_hours": 0.2,
        "subject_id": subject_id,
        "seed": 2022,
        "reason": None if rounds else "too few draws",
        "rounds": [list(pair) for pair in rounds],
        "test": test,
        "test_from": None,
        "digest": "split-digest",
        "leakage": None,
        "draws": draws,
    }
    write_json(path, split)
    return str(path)


def write_generic_model(path, network: config.Network = NETWORK, seed: int = 7) -> str:
    """An untrained generic model."""
    lineage = Lineage("generic", network, "generic-digest", draws=(1, 2), cut_off=START)
    save_checkpoint(path, build_resnet(network, seed).state_dict(), lineage)
    return str(path)
