"""The runs of each trained negative control: how labels move, or what replaces the beats. Needs no torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kalemia.beats.dataset import RR_COLUMNS, BeatSet
from kalemia.beats.normalization import normalize_beats
from kalemia.core import config
from kalemia.core.config import ROLLING
from kalemia.core.seeds import rng, seed_of
from kalemia.personal.episodes import Draw
from kalemia.personal.splits import Split, parse_draws, parse_split, split_draws

_TP_SAMPLES = 10  # at the start of a beat, 320 to 240 ms before R: neither T nor P wave, below some 95 beats a minute


@dataclass(frozen=True)
class NullRun:
    """One run: its seed, its split, and the draw from which a draw takes its label and value, if not its own."""

    seed: int
    split: Split
    label_source: dict[int, int]

    def relabel(self, of_draw: dict) -> dict:
        """The label, or value, of each draw in this run, from those that the draws really have."""
        return {draw: of_draw[self.label_source.get(draw, draw)] for draw in of_draw}


@dataclass(frozen=True)
class RealRun:
    """What the runs of a control are derived from: the split of a patient in one arm, and all usable draws in time."""

    split: Split
    draws: Sequence[Draw]
    arm: config.Arm
    personal: config.Personal
    seed: int
    subject_id: int


@dataclass(frozen=True)
class Runs:
    """How the runs of a control are made.

    make: from the real run, one seed for each run and a random generator; no runs if the patient does not allow any.
    inputs: replaces the inputs of the network (n, ...); None if the runs use the beats as they are.
    """

    make: Callable[[RealRun, Sequence[int], np.random.Generator], Iterable[NullRun]]
    inputs: Callable[[BeatSet, config.Network], np.ndarray] | None = None


def null_runs(kind: str, n: int, split: dict, arm: config.Arm, personal: config.Personal, seed: int) -> list[NullRun]:
    """The `n` runs of a negative control, or none if the patient does not allow any; `split` is a split file."""
    names = seed, "null", kind, split["arm"], split["subject_id"]
    real = RealRun(parse_split(split), parse_draws(split)[0], arm, personal, seed, split["subject_id"])
    seeds = [seed_of(*names, repeat) for repeat in range(n)]
    return list(RUNS[kind].make(real, seeds, rng(*names, "order"))) if n else []


def shuffled_runs(real: RealRun, seeds: Sequence[int], random: np.random.Generator) -> Iterator[NullRun]:
    """Permute the labels of the training draws."""
    return (shuffle_labels(real.split, real.draws, real.arm.protocol, seed) for seed in seeds)


def shifted_runs(real: RealRun, seeds: Sequence[int], random: np.random.Generator) -> Iterator[NullRun]:
    """Move all labels along time, in a random order of shifts.

    If there are fewer shifts than runs, they come again in another random order. With one order for all, the same
    shifts of all patients with equally many would meet again, and such runs would differ only in their seed.
    """
    shifts = possible_shifts(real.draws, real.arm, real.personal, real.seed, real.subject_id)
    order = _in_cycles(random, len(shifts))
    return (replace(shifts[next(order)], seed=seed) for seed in (seeds if shifts else ()))


def unchanged_runs(real: RealRun, seeds: Sequence[int], random: np.random.Generator) -> Iterator[NullRun]:
    """Keep the labels and the split."""
    return (NullRun(seed, real.split, {}) for seed in seeds)


def tp_segment_inputs(beats: BeatSet, network: config.Network) -> np.ndarray:
    """The network's inputs (n, ...) with `tp_segment` in place of the beats; all RR intervals are one second."""
    times = beats.rows["draw_time"].to_numpy()
    samples = normalize_beats(tp_segment(beats.beats_mv), beats.draw_ids, times, network.normalization)
    if not network.rr_intervals:
        return samples
    return np.concatenate([samples, np.ones((len(beats), len(RR_COLUMNS)), np.float32)], axis=1)


RUNS = {  # those of kalemia.core.negative_controls that are trained
    "shuffled": Runs(shuffled_runs),
    "shifted": Runs(shifted_runs),
    "between_beats": Runs(unchanged_runs, tp_segment_inputs),
}


def shuffle_labels(real: Split, draws: Sequence[Draw], protocol: str, seed: int) -> NullRun:
    """Permute the training draws among their places in the rounds; each takes the label of the draw that it replaces.

    Under `forward` and `rolling` the draws of a class are then put in the order of time, as `draws` are. The other
    protocols pair draws at random, so the permuted order stays.
    """
    permuted = rng(seed, "labels").permutation(real.training_draws).tolist()
    label_source = dict(zip(permuted, real.training_draws, strict=True))
    if protocol in ("forward", ROLLING):
        place = {draw.draw_id: i for i, draw in enumerate(draws)}
        permuted[::2], permuted[1::2] = sorted(permuted[::2], key=place.get), sorted(permuted[1::2], key=place.get)
    remaining = iter(permuted)
    rounds = tuple(tuple(next(remaining) for _ in pairs) for pairs in real.rounds)
    return NullRun(seed, replace(real, rounds=rounds), label_source)


def shift_labels(draws: Sequence[Draw], steps: int) -> dict[int, int]:
    """For draws in time, the draw `steps` before each, whose label (or none) it takes; the first follow the last."""
    return {draw.draw_id: draws[i - steps].draw_id for i, draw in enumerate(draws)}


def possible_shifts(
    draws: Sequence[Draw], arm: config.Arm, personal: config.Personal, seed: int, subject_id: int
) -> list[NullRun]:
    """Shifts by a quarter to three quarters of the number of draws, if the protocol can split the moved labels."""
    label = {draw.draw_id: draw.label for draw in draws}
    shifts = []
    for steps in range(max(1, len(draws) // 4), len(draws) - len(draws) // 4 + 1):
        label_source = shift_labels(draws, steps)
        moved = [replace(draw, label=label[label_source[draw.draw_id]]) for draw in draws]
        shifts.append(NullRun(seed, split_draws(arm, moved, personal, seed, subject_id), label_source))
    return [shift for shift in shifts if shift.split.rounds]


def tp_segment(beats_mv: np.ndarray) -> np.ndarray:
    """Beats (n, 120) of only the stretch before the P wave, mirrored back and forth, without its mean."""
    stretch_mv = beats_mv[:, :_TP_SAMPLES] - beats_mv[:, :_TP_SAMPLES].mean(axis=1, keepdims=True)
    return np.pad(stretch_mv, ((0, 0), (0, beats_mv.shape[1] - _TP_SAMPLES)), mode="reflect")


def _in_cycles(random: np.random.Generator, n: int) -> Iterator[int]:
    """0 to n - 1 in a random order, then in another, and so on."""
    while True:
        yield from random.permutation(n)
