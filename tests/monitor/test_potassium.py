"""Known values of potassium, in hours of the recording."""

from datetime import datetime

import pyarrow as pa
import pytest

from kalemia.core.errors import UserError
from kalemia.monitor.page import _known_row
from kalemia.monitor.potassium import KnownValue, read_known_values

STARTED = datetime(2024, 5, 17, 8, 0)


def _read(tmp_path, text, started=STARTED):
    path = tmp_path / "potassium.csv"
    path.write_text(text)
    return read_known_values(path, started)


def test_values_by_the_clock_or_in_hours_are_sorted_by_time(tmp_path):
    by_clock = "time,potassium,unit\n2024-05-17 20:00:00,6.1,mmol/L\n2024-05-17 09:30,4.2,\n"
    assert _read(tmp_path, by_clock) == [KnownValue(1.5, 4.2), KnownValue(12.0, 6.1)]
    assert _read(tmp_path, "Hours,Potassium\n2,5.5\n0.25,4\n", None) == [KnownValue(0.25, 4.0), KnownValue(2.0, 5.5)]


def test_values_before_the_recording_are_left_out(tmp_path):
    assert _read(tmp_path, "time,potassium\n2024-05-17 07:00,4.2\n") == []


@pytest.mark.parametrize(("text", "started", "says"), [
    ("time\n2024-05-17 20:00\n", STARTED, "no column 'potassium'"),
    ("hours,potassium\n1,high\n", STARTED, "line 2: potassium 'high' is not a number"),
    ("hours,potassium,unit\n1,4,mg/dL\n", STARTED, "unit 'mg/dL' is neither mEq/L nor mmol/L"),
    ("hours,potassium\n,4\n", STARTED, "has neither hours"),
    ("time,potassium\n2024-05-17 20:00,4\n", None, "does not say when it began; write a column hours"),
    ("time,potassium\n17.5.2024,4\n", STARTED, "is not a time"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, started, says):
    with pytest.raises(UserError, match=says):
        _read(tmp_path, text, started)


@pytest.mark.parametrize(
    ("hours", "decision"), [(0.1, "no answer"), (0.2, "positive"), (1.1, "positive"), (1.2, "no answer")]
)
def test_the_answer_beside_a_value_is_at_most_an_hour_old(hours, decision):
    windows = pa.table({"stop_s": [600.0, 1440.0], "probability": [0.8, None], "decision": [1, None]})
    assert _known_row(KnownValue(hours, 6.1), windows)["decision"] == decision
