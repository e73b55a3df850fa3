"""One reader under atheris, which looks for inputs that reach new lines of code; `fuzz_readers` starts it.

    python tests/torture/fuzz_target.py READER FOLDER -max_total_time=150 CORPUS

Whatever the bytes are, a reader answers with a result, a `UserError` or an `UnreadableRecordingError` of one line;
anything else ends the fuzzer, which keeps the input.
"""

import gzip
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

with atheris.instrument_imports(include=["kalemia"]):
    from kalemia.beats.review_decisions import read_review_decisions
    from kalemia.core.config_files import read_config
    from kalemia.core.errors import UserError
    from kalemia.sources import UnreadableRecordingError, mimic_tables
    from kalemia.sources.signal_files import open_signal

from campaign import is_one_line  # noqa: E402, atheris must see the imports above first

from own_files import ecg_mv, write_wfdb  # noqa: E402, likewise
from vital_writer import write_vital  # noqa: E402, likewise

LABS = b"ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG\n"
LABS += b"1,20,100,50971,2150-01-01 10:00:00,4.1,4.1,mEq/L,\n"
DECISIONS = b"subject_id,draw_id,decision,reviewer,note,marks_s\n20,4,accept,MW,fine,1 2 3.5 4 5 6\n"
STUDY = b"study: x\ncohort: {lead: II, window_minutes: 5}\narms: {forward: null}\n"


def header(folder: Path) -> tuple[bytes, Callable[[bytes], object]]:
    write_wfdb(folder / "a", 250, seconds=2)
    path = folder / "a.hea"

    def read(data: bytes):
        path.write_bytes(data)
        signal = open_signal(path, "MLII")
        return signal.read_mv(0, min(signal.n_samples, 1000))

    return path.read_bytes(), read


def vital(folder: Path) -> tuple[bytes, Callable[[bytes], object]]:
    path = folder / "a.vital"
    samples = (ecg_mv(500, 1) * 1000).round().astype("<i2")
    content = write_vital(path, [(0.0, samples)])

    def read(data: bytes):
        path.write_bytes(gzip.compress(data, 1))
        signal = open_signal(path, "SNUADC/ECG_II")
        return signal.read_mv(0, min(signal.n_samples, 1000))

    return content, read


def table(folder: Path) -> tuple[bytes, Callable[[bytes], object]]:
    def read(data: bytes):
        (folder / "LABEVENTS.csv").write_bytes(data)
        return mimic_tables.analyte_rows(folder, (50971,))

    return LABS, read


def decisions(folder: Path) -> tuple[bytes, Callable[[bytes], object]]:
    def read(data: bytes):
        (folder / "decisions.csv").write_bytes(data)
        return read_review_decisions(folder / "decisions.csv", 10.0)

    return DECISIONS, read


def study(folder: Path) -> tuple[bytes, Callable[[bytes], object]]:
    def read(data: bytes):
        (folder / "study.yaml").write_bytes(data)
        return read_config(folder / "none.yaml", [folder / "study.yaml"])

    return STUDY, read


READERS = {reader.__name__: reader for reader in (header, vital, table, decisions, study)}


def main() -> None:
    name, folder, *options = sys.argv[1:]
    sample, read = READERS[name](Path(folder))
    (Path(options[-1]) / "sample").write_bytes(sample)

    def try_one(data: bytes) -> None:
        try:
            read(data)
        except (UserError, UnreadableRecordingError) as error:
            if not is_one_line(str(error)):
                raise AssertionError(str(error)) from None

    atheris.Setup([sys.argv[0], *options], try_one)
    with suppress(SystemExit):
        atheris.Fuzz()


if __name__ == "__main__":
    main()
