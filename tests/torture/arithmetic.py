"""How far numbers depend on precision, threads, batches and the processor; and inputs at the edge of what is numbers.

    python tests/torture/arithmetic.py FILE.npz THREADS    # what one process computes, for `run` to compare

The same ECG, weights and training are computed in processes with other limits on instruction sets and threads.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from campaign import Tally

from beat_shards import simulated_beats, write_shard
from ecg_signals import clean_ecg, regular_r_samples
from kalemia.beats.dataset import read_beats
from kalemia.core.config import Arm, Network, Study
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.sources.signal_faults import implausible_amplitude

_TEN_MINUTES = 75_000  # samples
_N_COMPARED = 64  # beats, in batches of several sizes

# what is compared -> the largest difference allowed, in mV or logits; training amplifies the last bits, and is looser
BOUNDS = {"beats_mv": 1e-5, "logits": 1e-3, "trained_logits": 0.5, "linear_fit": 1e-6}
PROCESSES = {
    "two threads": {"threads": 2},
    "AVX2 in oneDNN and torch": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "SSE4.1 in oneDNN, no vectors in torch": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "OpenBLAS of an older processor": {"OPENBLAS_CORETYPE": "Nehalem"},
    "numpy without AVX-512": {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX"},
}


def run(folder: Path, seed: int, is_short: bool) -> Tally:
    tally = Tally(
        "numbers", "differences stay below stated bounds; odd inputs end in a reason, never in NaN or a warning"
    )
    folder.mkdir(parents=True, exist_ok=True)
    reference = _computed(folder / "reference.npz", {})
    chosen = dict(list(PROCESSES.items())[:1]) if is_short else PROCESSES
    compared = [
        (f"{what}, {name}", _difference(found[what], reference[what]), bound)
        for name, found in ((name, _computed(folder / "other.npz", limits)) for name, limits in chosen.items())
        for what, bound in BOUNDS.items()
    ]
    for case, difference, bound in (*compared, *_batches(reference), *_precision(reference)):
        tally.figures[case] = difference
        tally.count(f"{case}: {difference:.1e}", "within the bound", fails=not difference <= bound)
    for case, fault in _odd_inputs():
        tally.count(case, fault or "a reason or a finite number", fails=bool(fault))
    return tally


def _computed(path: Path, limits: dict) -> dict[str, np.ndarray]:
    """What a process with these limits computes."""
    given = {name: value for name, value in limits.items() if name != "threads"}
    threads = str(limits.get("threads", 1))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": threads} | given
    command = [sys.executable, str(Path(__file__)), str(path), threads]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with np.load(path) as arrays:
        return dict(arrays)


def compute(path: Path, threads: int) -> None:
    """The beats of a noisy ECG, logits of an untrained and a trained network, and a linear fit, to a file."""
    import torch

    from kalemia.network.losses import LABEL_ONLY
    from kalemia.network.predictions import beat_logits
    from kalemia.network.resnet import build_resnet
    from kalemia.network.training import set_up_torch, train
    from kalemia.stats.logistic_regression import fit_logistic

    set_up_torch(threads)
    beats_mv, labels = _beats()
    network, small = build_resnet(Network(), 1), build_resnet(Network(width=4), 1)
    train(small, torch.tensor(beats_mv), LABEL_ONLY.targets(labels == 1, labels), Arm(epochs=5), seed=1)
    features = beats_mv.astype(np.float64)[:, ::10]
    np.savez(
        path,
        beats_mv=_assessment(_noisy_ecg()).beats_mv,
        logits=beat_logits(network, beats_mv),
        trained_logits=beat_logits(small, beats_mv),
        linear_fit=fit_logistic(features, labels).score(features),
    )


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; infinite where one is NaN (after the end of an excerpt) and the other is not."""
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(one.astype(np.float64) - other)))


def _beats() -> tuple[np.ndarray, np.ndarray]:
    """256 beats (n, 120) of both classes and their labels."""
    random = np.random.default_rng(1)
    return np.concatenate([simulated_beats(label, 128, random) for label in (0, 1)]), np.repeat([0, 1], 128)


def _noisy_ecg() -> np.ndarray:
    noise_mv = 0.05 * np.random.default_rng(1).standard_normal(_TEN_MINUTES)
    return clean_ecg(regular_r_samples(_TEN_MINUTES), _TEN_MINUTES) + noise_mv.astype(np.float32)


def _assessment(ecg_mv: np.ndarray):
    study = Study()
    return assess_excerpt(ecg_mv, study.ecg, study.quality, study.rhythm, study.beats)


def _batches(reference: dict[str, np.ndarray]) -> Iterator[tuple[str, float, float]]:
    """Logits of beats given one at a time, seven at a time, in another order: the same bits."""
    from kalemia.network.predictions import beat_logits
    from kalemia.network.resnet import build_resnet
    from kalemia.network.training import set_up_torch

    set_up_torch(1)
    network, (beats_mv, _) = build_resnet(Network(), 1), _beats()
    whole = beat_logits(network, beats_mv)
    for size in (1, 7, 50):
        parts = [beat_logits(network, beats_mv[at : at + size]) for at in range(0, _N_COMPARED, size)]
        yield (
            f"logits in batches of {size}",
            float(np.max(np.abs(np.concatenate(parts)[:_N_COMPARED] - whole[:_N_COMPARED]))),
            0.0,
        )
    backwards = beat_logits(network, beats_mv[::-1].copy())[::-1]
    yield "logits in another order", float(np.max(np.abs(backwards - whole))), 0.0
    yield "logits of this process", float(np.max(np.abs(reference["logits"] - whole))), BOUNDS["logits"]


def _precision(reference: dict[str, np.ndarray]) -> Iterator[tuple[str, float, float]]:
    """float32 against float64: the network, and the filter."""
    import torch

    from kalemia.ecg.filters import bandpass, bandpass_taps
    from kalemia.network.resnet import build_resnet

    network, (beats_mv, _) = build_resnet(Network(), 1).double().eval(), _beats()
    with torch.inference_mode():
        exact = network(torch.tensor(beats_mv, dtype=torch.float64)).numpy().reshape(len(beats_mv))
    yield "logits in float64", float(np.max(np.abs(exact - reference["logits"]))), BOUNDS["logits"]
    ecg, ecg_mv = Study().ecg, _noisy_ecg()
    taps = bandpass_taps(125.0, ecg.band_hz, ecg.transition_hz, ecg.stopband_db, ecg.notch_hz)
    straight = np.convolve(ecg_mv.astype(np.float64), taps, "same")
    inner = slice(len(taps), -len(taps))
    filtered = bandpass(ecg_mv, taps)
    yield "filter in float64", float(np.max(np.abs(filtered - straight)[inner])), BOUNDS["beats_mv"]


def _odd_inputs() -> Iterator[tuple[str, str]]:
    """Inputs at the edge, and what is wrong with how they end; empty if nothing is."""
    times = np.arange(_TEN_MINUTES)
    ecgs = {
        "a constant ECG": np.full(_TEN_MINUTES, 0.7),
        "an ECG of zeros": np.zeros(_TEN_MINUTES),
        "a subnormal ECG": 1e-40 * np.sin(times),
        "an ECG of 1e30 mV": 1e30 * np.sin(times),
        "an ECG without samples": np.zeros(0),
        "one sample": np.ones(1),
        "nothing recorded": np.full(_TEN_MINUTES, np.nan),
        "two values in turn for 20 s": times[:2500] % 2.0,
        "one spike": np.equal(times, 40_000) * 1.0,
        "infinite samples": np.where(times % 1000, 0.1, np.inf),
    }
    for name, ecg_mv in ecgs.items():
        yield name, _fault_of(lambda ecg_mv=ecg_mv: _refusal(ecg_mv.astype(np.float32)) or "no reason")
    for name, function in _odd_numbers().items():
        yield name, _fault_of(function)


def _refusal(ecg_mv: np.ndarray) -> str | None:
    """Why an ECG is not used, as by the readers of files: its amplitude, or what is found in it."""
    if implausible_amplitude(np.where(np.isfinite(ecg_mv), ecg_mv, np.nan), 125.0):
        return "implausible amplitude"
    return _assessment(ecg_mv).reason


def _fault_of(function: Callable[[], str | None]) -> str:
    """What is wrong with a case: an exception, a warning, or what the function returns as wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = function() or ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return said if said == "no reason" or said.startswith("wrong") else ""


def _odd_numbers() -> dict[str, Callable[[], str | None]]:
    """Statistics of draws with one beat, and of patients of one class."""
    from kalemia.evaluation.metrics import calibration_intercept
    from kalemia.network.predictions import beat_logits, draw_predictions
    from kalemia.network.resnet import build_resnet
    from kalemia.stats.clustered_auc import auc_difference
    from kalemia.stats.draw_metrics import area_under_roc, draw_metrics
    from kalemia.stats.logistic_regression import fit_logistic
    from kalemia.stats.tests_and_intervals import auc_interval, clopper_pearson

    ones, scores, network = np.ones(5, int), np.linspace(-1, 1, 5), build_resnet(Network(width=2), 1)
    rows = read_draw_of_one_beat()

    def of_one_beat() -> str | None:
        table = draw_predictions(np.array([0.5], np.float32), rows, {}, "vote")
        return None if table["n_beats"].to_pylist() == [1] and table["decision"].to_pylist() == [1] else "wrong"

    def is_unknown(value: float) -> str | None:
        return None if np.isnan(value) else f"wrong: {value}, where it cannot be known"

    def is_finite(values) -> str | None:
        return None if np.all(np.isfinite(values)) else "wrong: not finite"

    return {
        "a draw of one beat": of_one_beat,
        "the AUC of one class": lambda: is_unknown(area_under_roc(ones, scores)),
        "the specificity of one class": lambda: is_unknown(draw_metrics(ones, scores, ones)["specificity"]),
        "the calibration of one class": lambda: is_unknown(calibration_intercept(scores, ones)),
        "the paired AUC of one class": lambda: is_unknown(auc_difference(ones, scores, -scores, ones).difference),
        "an interval of no draws of a class": lambda: is_unknown(auc_interval(float("nan"), 5, 0)[0]),
        "a share of one draw": lambda: is_finite(clopper_pearson(1, 1)),
        "a fit to one class": lambda: is_finite(fit_logistic(scores[:, None], ones).score(scores[:, None])),
        "a fit to constant values": lambda: is_finite(
            fit_logistic(np.ones((5, 2)), ones - [0, 1, 0, 1, 0]).score(np.ones((5, 2)))
        ),
        "subnormal beats": lambda: is_finite(beat_logits(network, np.full((3, 120), 1e-40, np.float32))),
        "constant beats": lambda: is_finite(beat_logits(network, np.full((3, 120), 2.0, np.float32))),
        "no beats": lambda: None if beat_logits(network, np.zeros((0, 120), np.float32)).shape == (0,) else "wrong",
    }


def read_draw_of_one_beat():
    """The rows of a draw with one beat, as networks read them."""
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "beats.parquet"
        write_shard(shard, 20, [1], beats_per_draw=1)
        return read_beats(shard, Network()).rows


if __name__ == "__main__":
    compute(Path(sys.argv[1]), int(sys.argv[2]))
