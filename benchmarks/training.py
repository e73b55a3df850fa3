"""Training speed of the generic network, compared with a plain PyTorch loop and Keras, on the available CPU or GPU.

    python benchmarks/training.py --keras /path/to/python/with/tensorflow

Contenders, each in a process of its own, take turns in short slices of the same batches, and what is printed are
medians over the slices: another program on the machine then slows all of them. Every ratio is of two slices of the
same turn. On a machine that is never quiet, `--threads 1 --processor-time` counts only what a contender itself
computed. On a GPU the paper's whole training is run too.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

CLOCK = time.process_time if "--processor-time" in sys.argv else time.perf_counter
BLOCKS = (3, 4, 6, 3)
SAMPLES = 120
PAPER = {"epochs": 50, "train": 324_710, "validation": 104_956}


def simulated_beats(n_beats: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Beats (n, 120) whose T wave tells the label in part, and float32 labels (n,)."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, n_beats)
    at = np.arange(SAMPLES)
    height = 0.3 + 0.1 * labels + random.normal(0, 0.1, n_beats)
    shape = np.exp(-0.5 * ((at - 40) / 2) ** 2)
    beats_mv = (
        shape + height[:, None] * np.exp(-0.5 * ((at - 75) / 8) ** 2) + random.normal(0, 0.05, (n_beats, SAMPLES))
    )
    return beats_mv.astype(np.float32), labels.astype(np.float32)


# --- Keras; nothing above the next line needs torch


class Keras:
    """A slice of `fit`."""

    def __init__(self, width: int, beats: np.ndarray, labels: np.ndarray, batch: int, threads: int):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.network = keras_network(width)
        self.n_parameters = int(sum(np.prod(weight.shape) for weight in self.network.trainable_weights))
        self.lesson, self.batch = (beats[:, :, None], labels), batch

    def __call__(self) -> float:
        began = CLOCK()
        self.network.fit(*self.lesson, batch_size=self.batch, verbose=0)
        return CLOCK() - began


def keras_network(width: int):
    import keras
    from keras import layers

    def conv(features, outputs, size, stride=1):
        if size > 1:
            features = layers.ZeroPadding1D(size // 2)(features)
        return layers.Conv1D(outputs, size, stride, use_bias=False, kernel_initializer="he_normal")(features)

    def activated(features):
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features))

    given = keras.Input((SAMPLES, 1))
    features = layers.MaxPooling1D(3, 2, padding="same")(activated(conv(given, width, 7, 2)))
    for stage, n_units in enumerate(BLOCKS):
        narrow = width << stage
        for unit in range(n_units):
            stride = 2 if unit == 0 and stage else 1
            before = features if (stage, unit) == (0, 0) else activated(features)
            shortcut = conv(before, 4 * narrow, 1, stride) if unit == 0 else features
            residual = activated(conv(activated(conv(before, narrow, 1)), narrow, 3, stride))
            features = layers.Add()([conv(residual, 4 * narrow, 1), shortcut])
    model = keras.Model(given, layers.Dense(1)(layers.GlobalAveragePooling1D()(activated(features))))
    model.compile(
        keras.optimizers.FusedAdam(5e-5), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
    )
    return model


# --- a plain PyTorch loop


def plain_network(width: int):
    """The same network, as one writes it first: nn.Conv1d and nn.BatchNorm1d."""
    from torch import nn

    def conv(inputs, outputs, size, stride=1):
        return nn.Conv1d(inputs, outputs, size, stride, size // 2, bias=False)

    def activation(channels):
        return nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU(inplace=True))

    class Unit(nn.Module):
        def __init__(self, inputs, narrow, stride, first, projects):
            super().__init__()
            self.before = nn.Identity() if first else activation(inputs)
            self.projection = conv(inputs, 4 * narrow, 1, stride) if projects else None
            self.residual = nn.Sequential(
                conv(inputs, narrow, 1),
                activation(narrow),
                conv(narrow, narrow, 3, stride),
                activation(narrow),
                conv(narrow, 4 * narrow, 1),
            )

        def forward(self, features):
            before = self.before(features)
            return self.residual(before) + (self.projection(before) if self.projection else features)

    layers, inputs = [conv(1, width, 7, 2), activation(width), nn.MaxPool1d(3, 2, 1)], width
    for stage, n_units in enumerate(BLOCKS):
        for unit in range(n_units):
            stride = 2 if unit == 0 and stage else 1
            layers.append(Unit(inputs, width << stage, stride, (stage, unit) == (0, 0), unit == 0))
            inputs = 4 * (width << stage)
    return nn.Sequential(
        *layers,
        activation(inputs),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(0),
        nn.Unflatten(0, (-1, inputs)),
        nn.Linear(inputs, 1),
        nn.Flatten(0),
    )


class Plain:
    """A slice of a loop over a DataLoader, as in any tutorial."""

    def __init__(self, width: int, beats: np.ndarray, labels: np.ndarray, batch: int, threads: int):
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = plain_network(width).to(self.device)
        beats, labels = torch.from_numpy(beats), torch.from_numpy(labels)
        self.loader = DataLoader(TensorDataset(beats[:, None], labels), batch, shuffle=True)
        self.n_parameters = sum(weight.numel() for weight in self.network.parameters())
        self.optimizer = torch.optim.Adam(self.network.parameters(), 5e-5)
        self.loss = torch.nn.BCEWithLogitsLoss()

    def __call__(self) -> float:
        return timed(self.epoch, self.device)

    def epoch(self) -> None:
        self.network.train()
        for beats, labels in self.loader:
            loss = self.loss(self.network(beats.to(self.device)), labels.to(self.device))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


# --- Kalemia


class Ours:
    """A slice of `kalemia.network.training.train`: one epoch over the same batches."""

    def __init__(self, width: int, beats: np.ndarray, labels: np.ndarray, batch: int, threads: int, **options):
        import torch

        from kalemia.core import config
        from kalemia.network.resnet import resnet50
        from kalemia.network.training import TrainOptions, set_up_torch

        self.device = set_up_torch(threads)
        self.network = resnet50(width).to(self.device)
        self.n_parameters = sum(weight.numel() for weight in self.network.parameters())
        self.lesson = tuple(torch.from_numpy(part).to(self.device) for part in (beats, labels))
        self.settings = config.Generic(epochs=1, batch_size=batch, learning_rate=5e-5)
        self.options = TrainOptions(**options)

    def __call__(self) -> float:
        from kalemia.network.training import train

        epoch = partial(train, self.network, *self.lesson, self.settings, 1, options=self.options)
        return timed(epoch, self.device)


# --- the race


def convolutions_only(width: int, *given, **options) -> Ours:
    """Kalemia without matrix products in place of convolutions, as it was before it had them."""
    from kalemia.network.resnet import Conv

    Conv.forward = Conv.convolve
    return Ours(width, *given, **options)


CONTENDERS = {
    "plain PyTorch, Conv1d, DataLoader": Plain,
    "Kalemia, float32, convolutions only": partial(convolutions_only, precision="float32"),
    "Kalemia, bfloat16, convolutions only": partial(convolutions_only, precision="bfloat16"),
    "Kalemia, float32": partial(Ours, precision="float32"),
    "Kalemia, bfloat16": partial(Ours, precision="bfloat16"),
    "Kalemia, bfloat16, compiled": partial(Ours, precision="bfloat16", compile=True),
    "Keras on TensorFlow": Keras,
}


class Contender:
    """One of CONTENDERS in a process of its own, which trains a slice when asked."""

    def __init__(self, name: str, python: str, width: int, given: argparse.Namespace, n_batches: int):
        sizes = map(str, (width, n_batches, given.batch, given.threads))
        command = [python, __file__, "--serve", name, *sizes] + ["--processor-time"] * given.processor_time
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.n_parameters = int(self._answer())

    def seconds(self) -> float:
        """Of a slice."""
        return self._ask("seconds")

    def outside(self) -> float:
        """The share of a slice that is neither forward, nor backward, nor optimizer; Kalemia on a CPU only."""
        return self._ask("outside")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, what: str) -> float:
        print(what, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> float:
        return float(self.process.stdout.readline())


def serve(name: str, width: int, n_batches: int, batch: int, threads: int) -> None:
    """Answer every line on standard input; `Contender` is the other end."""
    contender = CONTENDERS[name](width, *simulated_beats(batch * n_batches, 1), batch, threads)
    contender()
    print(contender.n_parameters, flush=True)
    for question in sys.stdin:
        print(contender() if question.strip() == "seconds" else outside_share(contender), flush=True)


def flop_of_beat(width: int) -> float:
    """Forward, a multiply-add counted as two."""
    import torch

    from kalemia.network.resnet import Conv, resnet50

    network, counts = resnet50(width).eval(), []

    def count(layer, _, output):
        counts.append(2 * layer.weight.numel() * output.shape[-1])

    for layer in network.modules():
        if isinstance(layer, Conv):
            layer.register_forward_hook(count)
    network(torch.zeros(1, SAMPLES))
    return float(sum(counts))


def outside_share(contender: Ours) -> float:
    """What `Contender.outside` answers: on a CPU, where calls take turns."""
    import torch

    from kalemia.network.optimizers import FusedAdam

    inside = []

    def noted(call):
        def measured(*given):
            result = []
            inside.append(timed(lambda: result.append(call(*given)), contender.device))
            return result[0]

        return measured

    parts = [(type(contender.network), "forward"), (torch.Tensor, "backward"), (FusedAdam, "step")]
    with ExitStack() as patched:
        for owner, name in parts:
            patched.enter_context(patch.object(owner, name, noted(getattr(owner, name))))
        seconds = contender()
    return 1 - sum(inside) / seconds


def measured_peaks(device, precisions: tuple[str, ...]) -> dict[str, float]:
    """Of a large product of matrices and a large convolution of size 3: the best of many tries, operations a second."""
    import torch

    n, side = (64, 2048) if device.type == "cpu" else (4096, 16384)
    channels, steps, peaks = 512, 32, {}
    for dtype in (getattr(torch, precision) for precision in precisions):
        matrix = torch.randn(side, side, device=device, dtype=dtype)
        features = torch.randn(n, 1, steps, channels, device=device, dtype=dtype).permute(0, 3, 1, 2)
        weight = torch.randn(channels, 1, 3, channels, device=device, dtype=dtype).permute(0, 3, 1, 2)
        tasks = {
            "product": (lambda a=matrix: a @ a, 2 * side**3),
            "convolution": (
                lambda x=features, w=weight: torch.nn.functional.conv2d(x, w, padding=(0, 1)),
                2 * n * steps * 3 * channels**2,
            ),
        }
        for name, (task, flop) in tasks.items():
            peaks[f"{name}, {str(dtype).removeprefix('torch.')}"] = max(flop / timed(task, device) for _ in range(20))
    return peaks


def timed(task, device) -> float:
    """Seconds, of processor time where that is asked for."""
    import torch

    began = CLOCK()
    task()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return CLOCK() - began


def race(width: int, given: argparse.Namespace, device, peaks: dict[str, float]) -> None:
    n_batches = given.batches or (100 if device.type == "cuda" else max(2, 128 // width))
    names = [name for name in CONTENDERS if "compiled" not in name or given.compile]
    names = [name for name in names if "convolutions only" not in name or device.type == "cpu"]
    names = [name for name in names if "bfloat16" in given.precisions or "bfloat16" not in name]
    pythons = dict.fromkeys(names, sys.executable) | {"Keras on TensorFlow": given.keras}
    contenders = {name: Contender(name, python, width, given, n_batches) for name, python in pythons.items() if python}
    (n_parameters,) = {contender.n_parameters for contender in contenders.values()}  # the same network, or none
    seconds = {name: [] for name in contenders}
    for _ in range(given.slices):
        for name, contender in contenders.items():
            seconds[name].append(contender.seconds())
    flop, n_beats, first = 3 * flop_of_beat(width), n_batches * given.batch, "plain PyTorch, Conv1d, DataLoader"
    print(
        f"\nwidth {width}, {n_parameters:,} parameters, batch {given.batch}, {given.slices} slices of {n_beats} beats"
    )
    print(f"{'':36}{'beats/s':>9}{'times plain':>13}{'(range)':>15}{'GFLOP/s':>9}{'of peak':>9}")
    for name, mine in seconds.items():
        ratios = [other / one for one, other in zip(mine, seconds[first], strict=True)]
        rate = n_beats / statistics.median(mine)
        peak = peaks["convolution, bfloat16" if "bfloat16" in name else "convolution, float32"]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"{name:36}{rate:9.0f}{statistics.median(ratios):13.2f}{spread:>15}"
            f"{rate * flop / 1e9:9.0f}{rate * flop / peak:9.0%}"
        )
    if device.type == "cpu":
        for precision in given.precisions:
            now, before = (seconds[f"Kalemia, {precision}{kind}"] for kind in ("", ", convolutions only"))
            ratios = [slow / fast for slow, fast in zip(before, now, strict=True)]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"with products, {precision}: {statistics.median(ratios):.2f} times as fast ({spread})")
        share = statistics.median(contenders["Kalemia, float32"].outside() for _ in range(given.slices))
        print(f"outside forward, backward and optimizer: {share:.2%} of Kalemia's time in float32")
    for contender in contenders.values():
        contender.close()


def compare_precision(device, seeds: int = 4) -> None:
    """Validation loss of short trainings in both precisions, over seeds."""
    import torch

    from kalemia.core import config
    from kalemia.network.resnet import resnet50
    from kalemia.network.training import TrainOptions, train

    lesson, validation = (
        tuple(torch.from_numpy(part).to(device) for part in simulated_beats(n_beats, seed))
        for n_beats, seed in ((4096, 1), (2048, 2))
    )
    settings = config.Generic(epochs=5, batch_size=256, learning_rate=1e-3)
    losses = {}
    for precision in ("float32", "bfloat16"):
        for seed in range(seeds):
            network = resnet50(8, seed).to(device)
            history = train(network, *lesson, settings, seed, validation, TrainOptions(precision=precision))
            losses.setdefault(precision, []).append(min(row["validation_loss"] for row in history))
    print("\nleast validation loss of 50 layers of width 8, 5 epochs, mean (SD) over seeds")
    for precision, values in losses.items():
        print(f"{precision:10} {statistics.mean(values):.4f} ({statistics.stdev(values):.4f})")
    pairs = [one - other for one, other in zip(losses["bfloat16"], losses["float32"], strict=True)]
    print(f"difference {statistics.mean(pairs):+.4f} ({statistics.stdev(pairs):.4f}), seed by seed")


def train_as_the_paper(device, peaks: dict[str, float], compiled: bool) -> None:
    """The paper's network, beats, batch and epochs, validation included."""
    import torch

    from kalemia.core import config
    from kalemia.network.resnet import resnet50
    from kalemia.network.training import TrainOptions, train

    lesson, validation = (
        tuple(torch.from_numpy(part).to(device) for part in simulated_beats(PAPER[split], seed))
        for split, seed in (("train", 1), ("validation", 2))
    )
    network, options = resnet50(64).to(device), TrainOptions(precision="bfloat16", compile=compiled)
    train(
        network,
        *(part[: 4 * 1024 + 102] for part in lesson),
        config.Generic(epochs=1, batch_size=1024, learning_rate=5e-5),
        1,
        validation,
        options,
    )
    settings = config.Generic(epochs=PAPER["epochs"], batch_size=1024, learning_rate=5e-5)
    seconds = timed(partial(train, network, *lesson, settings, 1, validation, options), device)
    flop = flop_of_beat(64) * PAPER["epochs"] * (3 * PAPER["train"] + PAPER["validation"])
    share = flop / seconds / peaks["product, bfloat16"]
    print(f"\nthe paper's training, bfloat16{', compiled' if compiled else ''}: {seconds:.1f} s,")
    print(f"{flop / seconds / 1e12:.0f} TFLOP/s, {share:.0%} of the measured product")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--batch", type=int, default=1024, help="the paper's")
    parser.add_argument("--batches", type=int, help="of a slice (default 128 / width, on a GPU 100)")
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--compile", action="store_true", help="torch.compile as a contender")
    parser.add_argument(
        "--keras", metavar="PYTHON", help="an interpreter that has tensorflow, for Keras as a contender"
    )
    parser.add_argument("--processor-time", action="store_true", help="instead of the wall clock's")
    parser.add_argument(
        "--float32",
        dest="precisions",
        action="store_const",
        const=("float32",),
        default=("float32", "bfloat16"),
        help="no bfloat16, which AVX2 can only emulate",
    )
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve[0], *map(int, given.serve[1:]))
        return
    import torch

    from kalemia.network.training import set_up_torch

    device = set_up_torch(given.threads)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{given.threads} CPU threads"
    print(f"{where}, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    peaks = measured_peaks(device, given.precisions)
    for name, rate in peaks.items():
        print(f"a large {name}: {rate / 1e9:.0f} GFLOP/s")
    if not given.keras:
        print("Keras is left out: name an interpreter that has tensorflow with --keras")
    for width in given.widths:
        race(width, given, device, peaks)
    if "bfloat16" in given.precisions:
        compare_precision(device)
    if device.type == "cuda":
        for compiled in (False, True)[: 1 + given.compile]:
            train_as_the_paper(device, peaks, compiled)


if __name__ == "__main__":
    main()
