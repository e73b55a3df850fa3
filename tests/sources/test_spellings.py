"""Times, whole numbers and numbers in the spellings of Postgres, BigQuery, R, pandas and spreadsheets."""

import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.core.paths import subject_name
from kalemia.sources.csv_tables.spellings import (
    MAX_SUBJECT,
    SpellingError,
    is_day_alone,
    number_column,
    read_number,
    read_time,
    read_whole_number,
    subject_number,
    time_column,
    whole_number_column,
)

AT = datetime(2101, 10, 20, 16, 40)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2101-10-20 16:40:00", AT),
        ("2101-10-20T16:40:00", AT),  # BigQuery's DATETIME
        ("2101-10-20 16:40", AT),
        ("2101-10-20 16:40:00.0", AT),
        ("2101-10-20 16:40:00.000", AT),
        ("2101-10-20T16:40:00.250000", AT + timedelta(seconds=0.25)),  # polars
        ("2101-10-20 16:40:00.123456789", AT + timedelta(microseconds=123456)),  # pandas has nanoseconds
        ("2101-10-20", AT.replace(hour=0, minute=0)),  # R, of a midnight
        ("2101-10-20 16:40:00 UTC", AT),  # BigQuery's TIMESTAMP
        ("2101-10-20T16:40:00Z", AT),  # R's readr
        ("2101-10-20 16:40:00+00", AT),  # Postgres
        ("2101-10-20 16:40:00+00:00", AT),  # pandas
    ],
)
def test_a_time_is_read_in_every_spelling_with_one_meaning(text, time):
    assert read_time(text).replace(tzinfo=None) == time
    assert time_column(pa.array([text, None, text])).to_pylist() == [time, None, time]
    assert is_day_alone(text) == (len(text) == 10)


def test_an_hour_of_one_digit_is_read():
    assert read_time("2101-10-20 6:40") == datetime(2101, 10, 20, 6, 40)


def test_a_zone_is_kept():
    assert read_time("2101-10-20T16:40:00+02:00").utcoffset() == timedelta(hours=2)
    assert read_time("2101-10-20 16:40:00-0330").tzinfo == timezone(timedelta(hours=-3.5))


@pytest.mark.parametrize(
    "text",
    [
        "10/20/2101 16:40",
        "20.10.2101 16:40",
        "45429.3375",
        "73707",
        "2101-13-20 16:40:00",
        "2101-02-30 16:40:00",
        "2101-10-20 25:40:00",
        "21011020T164000",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59+02:00",
        "2101-W42-4",
        "16:40",
        "yesterday",
        "2101-10-20 16:40:00 EST",
        "\u0662101-10-20 16:40:00",
    ],
)
def test_what_has_several_meanings_or_none_is_no_time(text):
    with pytest.raises(ValueError, match="is not a time"):
        read_time(text)
    with pytest.raises(SpellingError, match="is not a time") as caught:
        time_column(pa.array(["2101-10-20 16:40:00", None, text]))
    assert (caught.value.row, caught.value.text) == (2, text)


def test_another_zone_is_refused_where_times_have_none():
    with pytest.raises(SpellingError, match="has a time zone"):
        time_column(pa.array(["2101-10-20 16:40:00-05"]))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100", 100),
        ("100.0", 100),
        ("100.", 100),
        ("1e+05", 100_000),
        ("1.5E3", 1500),
        (" 7 ", 7),
        ("0", 0),
        ("007", 7),
    ],
)
def test_a_whole_number_is_read_as_pandas_and_r_write_it(text, number):
    assert read_whole_number(text.strip(), MAX_SUBJECT) == number
    assert whole_number_column(pa.array([text, None]), pa.int32(), MAX_SUBJECT).to_pylist() == [number, None]


@pytest.mark.parametrize(
    "text",
    ["-3", "1.5", "1000000000", "9" * 30, "1e400", "1e999999999", "x", "1_0", "1,0", "\u0661", "0x10p", "inf", "--1"],
)
def test_what_is_no_whole_number_in_range_is_refused(text):
    with pytest.raises(ValueError, match="is not a whole number of up to nine digits"):
        read_whole_number(text, MAX_SUBJECT)
    with pytest.raises(SpellingError):
        whole_number_column(pa.array(["1", text]), pa.int64(), MAX_SUBJECT)


@pytest.mark.parametrize("name", ["HN-0042", "hn-0042", "p7", "-7", "1234567890", "Müller 3", "0x10"])
def test_any_name_of_a_subject_has_a_number_of_its_own_that_fits_into_32_bits(name):
    number = subject_number(name)
    assert 1 + MAX_SUBJECT <= number <= 2**31 - 1
    assert number == subject_number(name) != subject_number(f"{name}x")
    assert re.fullmatch(r"p\d{10}", subject_name(number))


def test_the_number_of_a_name_never_changes():
    assert subject_number("HN-0042") == 1_946_796_711
    assert [subject_number(text) for text in ("7", "007", "7.0", "10000032")] == [7, 7, 7, 10_000_032]


@pytest.mark.parametrize("name", ["", "x" * 65, "a,b", 'a"b', "a\tb"])
def test_what_cannot_be_written_in_a_table_is_no_name(name):
    with pytest.raises(ValueError, match=r"is (empty|not a name)"):
        subject_number(name)


@pytest.mark.parametrize(("text", "number"), [("6.1", 6.1), (".207", 0.207), ("6", 6.0), ("1e1", 10.0), ("-0.5", -0.5)])
def test_a_number_is_read(text, number):
    assert read_number(text) == number
    assert number_column(pa.array([text, None])).to_pylist() == [number, None]


@pytest.mark.parametrize("text", ["6,1", "4.2 H", "6_1", "6.1*", "1e400", "1.2.3", "\u0666"])
def test_what_is_no_number_says_how_numbers_are_written(text):
    with pytest.raises(ValueError, match="decimals need a point"):
        read_number(text)
    with pytest.raises(SpellingError):
        number_column(pa.array(["6.1", text]))


@given(
    st.lists(st.none() | st.datetimes(datetime(1700, 1, 1), datetime(2400, 1, 1)), max_size=9), st.sampled_from(" T")
)
def test_columns_read_what_single_cells_are_read_as(times, separator):
    texts = [time and time.isoformat(separator) for time in times]
    assert time_column(pa.array(texts, pa.string())).to_pylist() == times
    assert [text and read_time(text) for text in texts] == times


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=9))
def test_numbers_survive_being_written(numbers):
    texts = [repr(number) for number in numbers]
    np.testing.assert_array_equal(number_column(pa.array(texts, pa.string())).to_numpy(False), np.array(numbers, float))
    np.testing.assert_array_equal([read_number(text) for text in texts], np.array(numbers, float))
