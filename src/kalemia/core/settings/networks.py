"""Settings of the networks: size, generic training, personalization, evaluation and explanation."""

from dataclasses import dataclass

from kalemia.core.negative_controls import NEGATIVE_CONTROLS, chunks_of_runs
from kalemia.core.settings.data import ANALYTE_UNIT
from kalemia.core.settings.declare import section, setting

ROLLING = "rolling"
NEIGHBORS_APART = (ROLLING, "forward", "episode", "admission")  # protocols that keep neighboring draws on one side
BEAT_UNIT = "mV, or SDs if beats are normalized"


_PRECISION = setting(
    "auto",
    "arithmetic of the training; weights and predictions are always float32",
    choices={
        "auto": "bfloat16 on a GPU and on processors with AMX, float32 on others",
        "float32": "on every device",
        "bfloat16": "on every device; slower on processors without AVX-512 BF16 or AMX",
    },
)


@dataclass(frozen=True)
class Network:
    depth: int = setting(18, "number of layers", paper="50", choices=(18, 34, 50, 101))
    width: int = setting(8, "channels of the first stage", paper="64", minimum=1, maximum=512)
    normalization: str = setting(
        "none",
        "normalization of beats to mean 0 and SD 1",
        choices={
            "none": "no, beats are in mV",
            "beat": "over the beat",
            "draw": "over the draw",
            "subject": "over the subject's draws up to this one",
        },
    )
    rr_intervals: bool = setting(
        False, "the intervals before and after a beat, in s, are two more channels of the input"
    )
    auxiliary_head: str = setting(
        "none",
        "output in addition to the label's",
        choices={
            "none": "no other",
            "regression": "the value of the analyte",
            "ordinal": "for each threshold, whether the value is above it",
        },
    )
    ordinal_thresholds: tuple[float, ...] = setting(
        (3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0),
        "thresholds of the ordinal head, ascending; their mean and SD scale the regression",
        unit=ANALYTE_UNIT,
        min_length=2,
    )


@dataclass(frozen=True)
class Augmentation:
    amplitude: float = setting(0.0, "SD of the logarithm of a factor", minimum=0)
    baseline: float = setting(0.0, "SD of an offset and of a slope", unit=BEAT_UNIT, minimum=0)
    shift: int = setting(0, "largest shift to either side", unit="samples", minimum=0, maximum=2)
    noise: float = setting(0.0, "SD of white noise", unit=BEAT_UNIT, minimum=0)


@dataclass(frozen=True, kw_only=True)
class Generic:
    model: str | None = setting(
        None, "folder of an exported generic model to use instead of training one (docs/python.md); null: train"
    )
    epochs: int = setting(8, "largest number of epochs", paper="50", minimum=1)
    batch_size: int = setting(256, "beats per batch", paper="1024", minimum=1)
    learning_rate: float = setting(
        5.0e-5, "first learning rate; larger rates overfit to individual patients", paper="5e-5", above=0
    )
    lr_patience: int = setting(
        3, "epochs without a better validation loss before the learning rate is reduced", paper="3", minimum=0
    )
    lr_decay_factor: float = setting(
        0.5, "factor by which the learning rate is then multiplied", paper="0.5", above=0, below=1
    )
    threads: int = setting(
        2, "CPU threads of the training; they affect the result and so are not taken from --cores", minimum=1
    )
    precision: str = _PRECISION
    compile: bool = setting(False, "use torch.compile, with CUDA graphs on a GPU; slower on CPUs (docs/performance.md)")
    early_stopping_patience: int | None = setting(
        None, "the training ends after so many epochs in a row without a better validation loss; null: never", minimum=1
    )
    sampler: str = setting(
        "per_beat",
        "how an epoch samples beats",
        choices={
            "per_beat": "every beat once",
            "per_subject": "as many beats, with replacement, every subject with the same probability",
        },
    )
    label_smoothing: float = setting(
        0.0, "how far targets move toward 0.5: with 0.1 they are 0.05 and 0.95", minimum=0, below=1
    )
    augmentation: Augmentation = section(
        Augmentation(), "random changes of each training beat; 0 turns one off (docs/training.md)"
    )


@dataclass(frozen=True)
class Personal:
    max_rounds: int = setting(5, "largest number of rounds", paper="5", minimum=1)
    pairs_per_round: int = setting(1, "pairs of one positive and one negative draw", paper="1", minimum=1)
    test_fraction: float = setting(
        0.25, "fraction of a patient's labeled draws that is held out for testing", paper="0.25", above=0, below=1
    )
    min_test_draws: int = setting(
        2, "test draws of each class; patients with fewer cannot be evaluated under the protocol", minimum=1
    )
    n_trained_stages: int = setting(
        1, "stages of the network, counted from the last, that last_stages trains", minimum=1, maximum=4
    )
    threads: int = setting(1, "CPU threads of the training; they affect the result", minimum=1)


@dataclass(frozen=True)
class Arm:
    """A protocol with a way of training, and how often each negative control is repeated."""

    protocol: str = setting(
        "forward",
        "how a patient's draws are divided into training and test",
        choices={
            "paper": "a random fraction of each class is held out",
            "forward": "every training draw precedes every test draw, and is of another recording",
            ROLLING: "each draw is predicted by a network of the draws before it, in other recordings",
            "episode": "neither a run of draws of one label nor the draws of one recording are divided",
            "admission": "whole admissions are held out",
        },
    )
    purge_hours: float = setting(
        1.0,
        "no training draw is closer than this to a test draw (an embargo); at least the window before a draw, so that"
        " no beat is in both",
        unit="h",
        minimum=0,
    )
    train: str = setting(
        "last_stages",
        "what is trained",
        choices={
            "last_stages": "the last personal.n_trained_stages stages and a new head",
            "head": "only a new head",
            "all": "all stages and a new head",
            "from_scratch": "all, from random weights",
        },
    )
    batch_norm: str = setting(
        "adapt",
        "running statistics of the trained stages",
        choices={
            "frozen": "those of the generic network",
            "adapt": "each step takes a tenth of its batch's (Keras: a hundredth)",
        },
    )
    replay: bool = setting(False, "each round also trains on the pairs of earlier rounds")
    epochs: int = setting(5, "epochs of each round", paper="5", minimum=1)
    batch_size: int = setting(64, "beats per batch", minimum=1)
    learning_rate: float = setting(1.0e-3, "learning rate", above=0)
    precision: str = _PRECISION
    negative_controls: dict[str, int] = setting(
        {},
        "how often each negative control is repeated; the claims need 19 shifted runs and 1 stranger",
        minimum=0,
        keys={kind: control.doc for kind, control in NEGATIVE_CONTROLS.items()},
    )

    @property
    def null_chunks(self) -> dict[str, dict[str, range]]:
        """The runs of the arm's negative controls that train networks, as `chunks_of_runs`."""
        return chunks_of_runs(self.control_runs(trained=True))

    @property
    def uses_other_patients(self) -> bool:
        """Whether a negative control of the arm uses the networks of other patients."""
        return any(self.control_runs(trained=False).values())

    def control_runs(self, trained: bool) -> dict[str, int]:
        """The number of runs of each negative control that trains networks, or of each that does not."""
        return {kind: n for kind, n in self.negative_controls.items() if NEGATIVE_CONTROLS[kind].trains == trained}


@dataclass(frozen=True)
class Evaluation:
    decision: str = setting(
        "vote",
        "how the beats of a draw decide",
        choices={"vote": "majority of the beats (as in the paper)", "mean_logit": "mean logit of the beats"},
    )


@dataclass(frozen=True)
class Explanation:
    gradcam_stages: tuple[int, ...] = setting(
        (2, 4),
        "stages of the network for Grad-CAM: 0 is the stem, 4 the last (as in the paper); one step of the map is 32,"
        " 64, 128 and 256 ms wide after stages 1 to 4",
        choices=(0, 1, 2, 3, 4),
        min_length=1,
        unique=True,
    )
    beats_per_draw: int = setting(
        20, "beats of each draw in t-SNE and PCA, and of each test draw under occlusion", minimum=1
    )
    perplexity: float = setting(30.0, "perplexity of t-SNE", above=0)
