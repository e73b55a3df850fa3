"""Time saved by computing the frozen stages once, for rounds and negative controls of one patient.

    python benchmarks/personal.py

Five rounds, then nulls, of one simulated patient with the 50-layer network of width 64, 200 beats a draw. The ways run
in this process and take turns, round by round and null by null; what is counted is processor time, of all threads. The
way with features pays for computing, writing and reading them. A third way has the features too, but computes every
convolution with torch's, none as a matrix product.
"""

import argparse
import logging
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import torch

from kalemia.core import config
from kalemia.core.schemas import SCHEMAS
from kalemia.core.tables import write_table
from kalemia.network.checkpoints import Lineage, save_checkpoint
from kalemia.network.inference import predict
from kalemia.network.losses import Objective
from kalemia.network.resnet import Conv, build_resnet
from kalemia.network.training import set_up_torch
from kalemia.personal.cached_features import Origin, load_features
from kalemia.personal.finetune import freeze_for_arm, train_on_draws
from kalemia.personal.frozen_stages import NOTHING_FROZEN, TrainableHead, write_features

ARM = config.Arm("forward", 1.0, "last_stages", "adapt", False, epochs=5, batch_size=64, learning_rate=1e-3)


@dataclass
class Way:
    """One way of training a patient's rounds: what goes into the part that is called, and the seconds it took."""

    name: str
    inputs: torch.Tensor
    full: bool
    precision: str
    convolve: bool
    seconds: list[float]

    def begin(self, network: config.Network, seed: int) -> None:
        """A patient's network before the first round."""
        above = freeze_for_arm(build_resnet(network, 1), ARM, 1)
        above.network.reset_head(seed)
        self.above = TrainableHead(above.network, NOTHING_FROZEN) if self.full else above

    def round(self, draw_ids: np.ndarray, pair: tuple[int, int], seed: int, scored: np.ndarray) -> torch.Tensor:
        """Learn from a pair, score some beats, and remember the seconds."""
        began = time.process_time()
        values = np.zeros(len(draw_ids), np.float32)
        arm = replace(ARM, precision=self.precision)
        with patch.object(Conv, "forward", Conv.convolve if self.convolve else Conv.forward):
            train_on_draws(self.above, self.inputs, draw_ids, values, [pair], arm, seed, Objective(), "the benchmark")
            outputs = predict(self.above, self.inputs[torch.from_numpy(scored)])
        self.seconds.append(time.process_time() - began)
        return outputs


def simulated(n_draws: int, beats_per_draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Beats (n, 120) of draws whose T wave is tall in every other one, and the draw of each."""
    random, at = np.random.default_rng(1), np.arange(120)
    draw_ids = np.repeat(np.arange(n_draws), beats_per_draw)
    height = 0.3 + 0.2 * (draw_ids % 2) + random.normal(0, 0.05, len(draw_ids))
    beats = np.exp(-0.5 * ((at - 40) / 2) ** 2) + height[:, None] * np.exp(-0.5 * ((at - 75) / 8) ** 2)
    return (beats + random.normal(0, 0.05, beats.shape)).astype(np.float32), draw_ids


def features_of_patient(beats_mv: np.ndarray, draw_ids: np.ndarray, network: config.Network, threads: int):
    """The features of the patient as the workflow makes them, and the seconds for computing, writing and reading."""
    with tempfile.TemporaryDirectory() as folder:
        generic, shard, path = (Path(folder) / name for name in ("generic.safetensors", "beats.parquet", "features"))
        lineage = Lineage("generic", network, "", (), datetime(2150, 1, 1))
        save_checkpoint(generic, build_resnet(network, 1).state_dict(), lineage)
        columns = {name: pa.nulls(len(beats_mv), SCHEMAS["beats"].field(name).type) for name in SCHEMAS["beats"].names}
        columns |= {"draw_id": pa.array(draw_ids), "beat": pa.FixedSizeListArray.from_arrays(beats_mv.ravel(), 120)}
        columns |= {name: pa.array(np.full(len(beats_mv), 800, np.float32)) for name in ("rr_before_ms", "rr_after_ms")}
        write_table(shard, "beats", pa.table(columns))
        began = time.process_time()
        write_features(shard, generic, network, 1, threads, path)
        (stage,) = load_features(path, ("stage-3",), Origin.of(generic, shard))
        return torch.from_numpy(stage), time.process_time() - began, path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--beats", type=int, default=200)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--nulls", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    set_up_torch(options.threads)
    network = config.Network(options.depth, options.width)
    beats_mv, draw_ids = simulated(options.draws, options.beats)
    stage, features_s, n_bytes = features_of_patient(beats_mv, draw_ids, network, options.threads)
    full = Way("full forward passes", torch.from_numpy(beats_mv), True, options.precision, False, [])
    once = Way("frozen stages once", stage, False, options.precision, False, [])
    convolved = Way("frozen stages once, convolutions only", stage, False, options.precision, True, [])
    ways = (full, once, convolved)
    pairs = [(2 * k + 1, 2 * k) for k in range(options.rounds)]
    everything = np.arange(len(draw_ids))
    print(f"features: {features_s:.1f} s, {n_bytes / 1e6:.0f} MB for {len(draw_ids)} beats, paid once")

    for way in ways:
        way.begin(network, 7)
    for k, pair in enumerate(pairs):
        outputs = [way.round(draw_ids, pair, k, everything) for way in ways]
    apart = float((outputs[0] - outputs[1]).abs().max())
    report("rounds", full, once, features_s, apart)
    report_products("rounds", once, convolved)

    test = np.flatnonzero(draw_ids >= options.draws - 6)
    for way in ways:
        way.seconds = []
    for null in range(options.nulls):
        for way in ways:
            way.begin(network, null)
        for k, pair in enumerate(pairs):
            for way in ways:
                way.round(draw_ids, pair if (null + k) % 2 else pair[::-1], 100 * null + k, test)
    if options.nulls:
        report(f"{options.nulls} nulls", full, once, features_s, None)
        report_products(f"{options.nulls} nulls", once, convolved)


def report(what: str, full: Way, once: Way, features_s: float, apart: float | None) -> None:
    """One line of the result."""
    slow, fast = sum(full.seconds), sum(once.seconds)
    median = statistics.median(a / b for a, b in zip(full.seconds, once.seconds, strict=True))
    line = f"{what}: {slow:.1f} s with full passes, {fast:.1f} s with features and {features_s:.1f} s to make them:"
    line += f" {slow / (fast + features_s):.2f} times faster (round by round {median:.2f})"
    print(line + (f"; logits differ by at most {apart:.1e}" if apart is not None else ""), flush=True)


def report_products(what: str, once: Way, convolved: Way) -> None:
    """One line on matrix products in place of convolutions."""
    ratios = [slow / fast for slow, fast in zip(convolved.seconds, once.seconds, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{what} with products: {statistics.median(ratios):.2f} times as fast ({spread})", flush=True)


if __name__ == "__main__":
    main()
