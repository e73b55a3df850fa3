"""The method: every step, in the paper and in this study."""

from typing import NamedTuple

from kalemia.cohort.inclusion_flow import describe_window
from kalemia.core.config import Study
from kalemia.core.wording import bounds, display_name, plural
from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import PROTOCOLS
from kalemia.report.results import StudyResults
from kalemia.report.section import Notes, Section

NOT_REPORTED = "not reported"
STEPS = 35  # of a round: 5 epochs of two draws of 200 beats in batches of 64
BATCH_NORM = {
    "adapt": f"each step takes a tenth of its batch's; after {STEPS} steps {1 - 0.9**STEPS:.0%} are the patient's"
    f" (with Keras's momentum {1 - 0.99**STEPS:.0%})",
    "frozen": "those of the generic network",
}


class Step(NamedTuple):
    """One line: its name, the paper's value, and this study's."""

    name: str
    published: str
    ours: str


def build(study: Study, data: StudyResults, notes: Notes) -> dict:
    """One line per step."""
    return {"steps": steps(study), "protocols": PROTOCOLS, "paper": paper, "display_name": display_name}


def steps(study: Study) -> list[Step]:
    """From the source of the data to the decision on a draw; `studies/mimic3.yaml` takes the paper's values."""
    from kalemia.sources.registry import describe_source

    analyte, ecg, network, generic, personal = study.analyte, study.ecg, study.network, study.generic, study.personal
    split, arms = study.populations.generic_split, study.arms.items()
    return [
        Step(
            "Source",
            "MIMIC-III Waveform Database Matched Subset",
            describe_source(study).description,
        ),
        Step(f"Positive, {analyte.unit}", "above 5.5", bounds(analyte.positive)),
        Step(f"Negative, {analyte.unit}", "from 3.5 to 5", bounds(analyte.negative)),
        Step(
            "ECG of a draw",
            "10 minutes before, lead II",
            f"{describe_window(study.cohort)}, lead {study.cohort.lead}",
        ),
        Step("Least recorded part of it", NOT_REPORTED, plural(study.cohort.min_recorded_minutes, "minute")),
        Step(
            "Filter", "finite impulse response", f"finite impulse response, {ecg.band_hz[0]:g} to {ecg.band_hz[1]:g} Hz"
        ),
        Step("Beat", "120 samples, R peak the 41st", "120 samples at 125 Hz, R peak the 41st"),
        Step(
            "Beats per draw",
            "about 200, estimated from its counts",
            f"at most {study.beats.max_per_draw}, at least {study.beats.min_per_draw}",
        ),
        Step("Excluded excerpts", "by inspection", "by rule (docs/beats.md), with a page for review"),
        Step(
            "Atrial fibrillation and pacing",
            "patients left out",
            "excerpts left out by their rhythm"
            + (", and all patients who ever had a code for either" if study.cohort.exclude_codes else ""),
        ),
        Step(
            "Draws of a generic patient",
            f"{paper.CHARACTERISTICS['generic']['draws'] / paper.INCLUSION['generic']:.2f} on average",
            f"at most {study.cohort.draws_per_generic_patient}",
        ),
        Step(
            "Draws of each class for a personal network",
            f"{paper.MIN_PERSONAL_DRAWS} or more",
            "no personal networks"
            if study.populations.personal_min_draws is None
            else f"{study.populations.personal_min_draws} or more",
        ),
        Step(
            "Generic split",
            "6:2:2 at random; by patient, judging from its counts",
            ":".join(f"{10 * share:g}" for share in (split.train, split.validation, split.test))
            + " of patients, at random",
        ),
        Step(
            "Network",
            "ResNet-50, 64 channels at first, in 1D",
            f"ResNet-{network.depth}, {plural(network.width, 'channel')} at first, in 1D",
        ),
        Step(
            "Generic training",
            "Adam, batches of 1024, 50 epochs",
            f"Adam, batches of {generic.batch_size}, at most {plural(generic.epochs, 'epoch')}",
        ),
        Step(
            "Learning rate",
            "5e-5, halved after 3 epochs without improvement",
            f"{generic.learning_rate:g}, times {generic.lr_decay_factor:g} after {plural(generic.lr_patience, 'epoch')}"
            " without improvement",
        ),
        Step("Weights kept", "lowest validation loss", "lowest validation loss"),
        Step(
            "Held out per patient",
            "25% of the draws; how they are chosen is not reported; assumed random",
            f"{personal.test_fraction:.0%}, by the protocol of the arm",
        ),
        Step(
            "A round",
            "one pair of draws, 5 epochs, 5 rounds at most; whether earlier pairs are used again is not reported",
            f"{plural(personal.pairs_per_round, 'pair')} of draws, {plural(personal.max_rounds, 'round')} at most",
        ),
        Step(
            "Trained part of the network",
            "a fresh last layer and the last blocks",
            f"the last {_stages(personal.n_trained_stages)} where an arm trains the last stages",
        ),
        Step("Learning rate of a round", NOT_REPORTED, _by_arm({arm: f"{of.learning_rate:g}" for arm, of in arms})),
        Step(
            "Batch-norm statistics of the trained part",
            NOT_REPORTED,
            _by_arm({arm: BATCH_NORM[of.batch_norm] for arm, of in arms}),
        ),
        Step(
            "Choice of training draws",
            "“active” in the abstract; no choice by the network in the methods",
            "at random or in the order of time; no active learning",
        ),
        Step(
            "Decision on a draw",
            "majority of its beats",
            {"vote": "majority of its beats", "mean_logit": "mean logit of its beats"}[study.evaluation.decision],
        ),
    ]


def _stages(n: int) -> str:
    return "stage" if n == 1 else f"{n} stages"


def _by_arm(values: dict[str, str]) -> str:
    """One value if all arms have the same, else each with its arms."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    arms_of = {value: ", ".join(arm for arm, of in values.items() if of == value) for value in values.values()}
    return "; ".join(f"{arms}: {value}" for value, arms in arms_of.items())


SECTION = Section(
    place=140,
    title="Method",
    gist="Every step, in the paper and here",
    build=build,
)
