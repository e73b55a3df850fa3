"""R peaks of MIT-BIH DS1 at 125 Hz compared with three other detectors: sensitivity and PPV at 150 ms.

python benchmarks/rpeaks.py path/to/data (the folder that holds mitdb). Needs NeuroKit2 and sleepecg, which `make bench`
installs.
"""

import sys
import warnings
from pathlib import Path

import neurokit2
import numpy as np
import sleepecg
import yaml
from wfdb.processing import XQRS

from kalemia.core.config import Study
from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.rpeaks import detect_r_peaks

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from annotated_ecg import DS1, detection_counts, read_annotated  # noqa: E402, found by the line before

_ECG = Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text())).ecg
_TAPS = bandpass_taps(RATE_HZ, _ECG.band_hz, _ECG.transition_hz, _ECG.stopband_db)


def of_xqrs(ecg_mv):
    """R peaks by wfdb."""
    detector = XQRS(sig=ecg_mv, fs=RATE_HZ)
    detector.detect(verbose=False)
    return detector.qrs_inds


def of_neurokit(ecg_mv):
    """R peaks by NeuroKit2."""
    cleaned = neurokit2.ecg_clean(ecg_mv, sampling_rate=RATE_HZ)
    return neurokit2.ecg_peaks(cleaned, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"]


DETECTORS = {
    "Kalemia": lambda ecg_mv: detect_r_peaks(bandpass(ecg_mv, _TAPS), RATE_HZ),
    "wfdb xqrs": of_xqrs,
    "NeuroKit2": of_neurokit,
    "sleepecg": lambda ecg_mv: sleepecg.detect_heartbeats(ecg_mv, RATE_HZ),
}


def main(data: Path) -> None:
    """Print the table."""
    if not (data / "mitdb").is_dir():
        print(f"skipped: {data / 'mitdb'} does not hold the records of the MIT-BIH Arrhythmia Database")
        return
    warnings.simplefilter("ignore")
    records = [read_annotated(data / "mitdb", name) for name in DS1]
    print(f"{'':<12}{'missed':>8}{'wrong':>8}{'sensitivity':>13}{'predictivity':>14}")
    for name, detector in DETECTORS.items():
        true, missed, wrong = np.sum([detection_counts(r, detector(r.ecg_mv.astype(float))) for r in records], axis=0)
        print(f"{name:<12}{missed:>8}{wrong:>8}{true / (true + missed):>13.4%}{true / (true + wrong):>14.4%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data")
