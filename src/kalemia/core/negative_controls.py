"""Negative controls: runs without the information that a personalized network should use, declared once.

To add one, add an entry here and, if it is trained, its runs to `RUNS` in `kalemia.personal.negative_controls`; then
`make generate`.
"""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class NegativeControl:
    """One kind of run, named by its key in `NEGATIVE_CONTROLS`.

    label: its runs on pages, as an adjective. doc: what is done, in one sentence. if_matched: what it means if these
    runs do as well as the real one. trains: whether each run trains a network of its own, in place of using the last
    rounds of other patients.
    """

    label: str
    doc: str
    if_matched: str
    trains: bool = True


NEGATIVE_CONTROLS = {
    "shuffled": NegativeControl(
        label="shuffled-label",
        doc="The labels of the training draws are permuted; the test draws keep theirs.",
        if_matched="the network learned nothing from the labels",
    ),
    "shifted": NegativeControl(
        label="shifted-label",
        doc="All labels of the patient move along time, so that runs of one label stay together; the draws are then"
        " split by the moved labels and tested on them.",
        if_matched="the network tells periods of time apart, not potassium",
    ),
    "stranger": NegativeControl(
        label="cross-patient",
        doc="The network of another patient's last round is tested on this patient's test draws.",
        if_matched="nothing that the network learned is specific to the patient",
        trains=False,
    ),
    "between_beats": NegativeControl(
        label="TP-segment",
        doc="Every beat is replaced by the stretch between a T wave and the next P wave.",
        if_matched="the network does not use the heart's electrical activity",
    ),
}

TRAINED = tuple(kind for kind, control in NEGATIVE_CONTROLS.items() if control.trains)

SHARED_REPEATS = 3  # the first repeats of all controls share a chunk
CHUNK_REPEATS = 10


def chunks_of_runs(n_runs: dict[str, int]) -> dict[str, dict[str, range]]:
    """Divide the runs of trained controls into chunks, each trained by one job: its name, and the repeats by control.

    The first repeats of all controls are one chunk, so that a study with few runs starts one job per patient and arm.
    All others are chunks of one control, which end at multiples of ten and are named after their first repeat. Where a
    run belongs does not depend on the number of runs, so that more runs leave every full chunk as it is.
    """
    n_runs = {kind: n_runs[kind] for kind in TRAINED if n_runs.get(kind)}
    if not n_runs:
        return {}
    chunks = {"first": {kind: range(min(n, SHARED_REPEATS)) for kind, n in n_runs.items()}}
    for kind, n in n_runs.items():
        ends = [SHARED_REPEATS, *range(CHUNK_REPEATS, n, CHUNK_REPEATS), n]
        chunks |= {f"{kind}-{start}": {kind: range(start, end)} for start, end in pairwise(ends) if start < end}
    return chunks
