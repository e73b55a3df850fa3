"""Small model folders for tests."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from beat_shards import NETWORK, START
from kalemia.beats.normalization import BeatSums
from kalemia.core.config import Analyte, Beats, Ecg, Quality, Rhythm
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.models.calibration import Calibration, Coverage
from kalemia.models.model_config import ModelConfig, Origin, TestMetrics
from kalemia.models.model_folder import write_model_folder
from kalemia.network.checkpoints import Lineage
from kalemia.network.resnet import build_resnet
from kalemia.stats.prediction_sets import PlattScale, SetBounds

CUT_OFF = START + timedelta(hours=6)
CALIBRATION = Calibration(
    source="other patients",
    n_positive=20,
    n_negative=19,
    n_patients=5,
    scale=PlattScale(1 / 3, -1 / 7),
    bounds=SetBounds(0.9, 0.1, -0.2),
    coverage=Coverage(29, 5, 26 / 29, 0.71, 0.97, 0.4),
    own_coverage=Coverage(7, 1, 6 / 7, None, None, 3 / 7),
)


def model_config(**changes) -> ModelConfig:
    """Of a personal network, with numbers that decimal digits would round."""
    fields = {
        "kind": "personal",
        "subject_id": 10059,
        "arm": "forward",
        "round": 2,
        "train": "last_stages",
        "analyte": Analyte(),
        "lead": "II",
        "window_minutes": 10.0,
        "offset_hours": 0.0,
        "min_recorded_minutes": 5.0,
        "ecg": Ecg(),
        "quality": Quality(),
        "rhythm": Rhythm(),
        "beats": Beats(),
        "network": NETWORK,
        "decision": "vote",
        "threshold": 0.5,
        "threshold_source": "the sign of a logit",
        "calibration": CALIBRATION,
        "metrics": TestMetrics(7, 3, 5 / 7, 0.75, 2 / 3, None),
        "draws": (1, 2),
        "cut_off": CUT_OFF,
        "sums": BeatSums(240.0, 1 / 3, 2 / 3),
        "mean_beat_mv": np.sin(np.arange(120.0)),
        "wave": FiducialTemplate(True, np.cos(np.arange(113.0)) / 3, True),
        "origin": Origin("demo", "simulated patients", True, "a-digest", "c" * 64, "p" * 64, "g" * 64, "0.1.0"),
    }
    return ModelConfig(**fields | changes)


def write_model(folder: Path, seed: int = 7, **changes) -> Path:
    """Write a model folder with random weights."""
    config = model_config(**changes)
    about = {"subject_id": config.subject_id, "arm": config.arm, "round": config.round}
    lineage = Lineage(config.kind, config.network, "a-digest", config.draws, CUT_OFF, **about)
    write_model_folder(folder, config, build_resnet(config.network, seed).state_dict(), lineage, "# A card\n")
    return folder
