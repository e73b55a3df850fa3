"""How often the interval of a difference between the losses of two classes holds the truth, where draws are alike.

python benchmarks/loss_intervals.py [runs a world, 300]. Beside Kalemia's interval: Newcombe's, which takes draws as
independent, and the percentile interval of a bootstrap of people.
"""

import sys
from itertools import product

import numpy as np

from kalemia.stats.clustered_shares import share_difference
from kalemia.stats.tests_and_intervals import percentile_interval

# (draws of one class, of the other) of each person
PEOPLE = {
    "8 people": lambda random: (random.integers(8, 30, 8), random.integers(10, 60, 8)),
    "16 people": lambda random: (random.integers(5, 40, 16), random.integers(10, 80, 16)),
    "46, most with one class": lambda random: (
        np.concatenate([random.integers(8, 30, 6), random.integers(1, 4, 20), np.zeros(20, int)]),
        np.concatenate([random.integers(10, 60, 6), np.zeros(20, int), random.integers(1, 4, 20)]),
    ),
    "300 people": lambda random: (random.integers(0, 6, 300), random.integers(1, 12, 300)),
}
LOST, CORRELATION, MORE_LOST = (0.03, 0.1, 0.3), (0.0, 0.2, 0.5), (0.0, 0.15)
RESAMPLES = 400


def of_independent_draws(*counts):
    """Kalemia's interval, as if each draw were a person's only one."""
    one, other = ((np.arange(n.sum()) < hits.sum()).astype(int) for hits, n in (counts[:2], counts[2:]))
    zeros, ones = np.zeros_like, np.ones_like
    return share_difference(
        np.append(one, zeros(other)), np.append(ones(one), zeros(other)),
        np.append(zeros(one), other), np.append(zeros(one), ones(other)),
    )[1:]  # fmt: skip


def of_bootstrap(random, hits, draws, other_hits, other_draws):
    """The percentile interval of resampled people."""
    weights = random.multinomial(len(draws), np.full(len(draws), 1 / len(draws)), RESAMPLES)
    with np.errstate(invalid="ignore"):
        return percentile_interval(
            (weights @ hits) / (weights @ draws) - (weights @ other_hits) / (weights @ other_draws)
        )


def coverage(people, lost, correlation, more_lost, runs, random):
    """Of the runs in which something is lost, the share in which each interval holds the true difference."""
    held, n = np.zeros(3), 0
    for _ in range(runs):
        draws, other_draws = people(random)
        shares = np.full(len(draws), lost)
        if correlation:
            shares = random.beta(lost * (1 / correlation - 1), (1 - lost) * (1 / correlation - 1), len(draws))
        hits = random.binomial(draws, shares + more_lost * (1 - shares))
        counts = (hits, draws, random.binomial(other_draws, shares), other_draws)
        if not counts[0].sum() + counts[2].sum():
            continue
        n, truth = n + 1, more_lost * (1 - lost)
        bounds = share_difference(*counts)[1:], of_independent_draws(*counts), of_bootstrap(random, *counts)
        held += [low <= truth <= high for low, high in bounds]
    return held / n


def main():
    """One line a world, and the range over all."""
    runs, random = int(sys.argv[1]) if len(sys.argv) > 1 else 300, np.random.default_rng(1)
    print("people, lost, correlation within a person, more lost of one class: Kalemia, independent draws, bootstrap")
    found = []
    for name, *world in product(PEOPLE, LOST, CORRELATION, MORE_LOST):
        found.append(coverage(PEOPLE[name], *world, runs, random))
        print(f"{name}, {', '.join(map(str, world))}: {'  '.join(f'{share:.3f}' for share in found[-1])}")
    for name, shares in zip(("Kalemia", "independent draws", "bootstrap"), np.transpose(found), strict=True):
        print(f"{name}: from {shares.min():.3f} to {shares.max():.3f}, median {np.median(shares):.3f}")


if __name__ == "__main__":
    main()
