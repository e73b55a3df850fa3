"""How a table is declared, and the columns that several tables share."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import pyarrow as pa

BEAT_SAMPLES = 120  # at RATE_HZ: 40 before the R peak, 80 from the R peak on (Chiu 2022)
R_INDEX = 40
RATE_HZ = 125.0
ANALYTE_UNIT = "analyte.unit"  # the unit of the study's analyte, a setting


@dataclass(frozen=True)
class Column:
    """One column: its name, type, meaning and unit, if it has one."""

    name: str
    type: pa.DataType
    doc: str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """One kind of Parquet table, as `kalemia.table` names it in the file's metadata.

    path, other_paths: files of this kind in the results folder. on_page: whether the study's page is made from `path`.
    """

    kind: str
    path: str
    doc: str
    columns: tuple[Column, ...]
    other_paths: tuple[str, ...] = ()
    on_page: bool = False

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return PurePosixPath(self.path).stem

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type) for column in self.columns])


@dataclass(frozen=True)
class JsonFile:
    """One JSON file of the results folder; on_page: whether the study's page is made from it."""

    path: str
    doc: str
    on_page: bool = False

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return PurePosixPath(self.path).stem


def with_bounds(column: Column) -> Iterator[Column]:
    """A column, and the columns of its 95% interval."""
    yield column
    yield Column(f"{column.name}_low", pa.float64(), "lower 95% bound", column.unit)
    yield Column(f"{column.name}_high", pa.float64(), "upper 95% bound", column.unit)


NAME = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us")
BEAT = pa.list_(pa.float32(), BEAT_SAMPLES)
SEGMENT = pa.struct(
    [
        ("name", pa.string()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("gain", pa.float64()),
        ("baseline", pa.int32()),
    ]
)
FAULT = pa.struct([("kind", pa.string()), ("start", pa.int64()), ("stop", pa.int64())])

SUBJECT_ID = Column("subject_id", pa.int32(), "the patient")
ARM = Column("arm", pa.string(), "name of the arm in the configuration")
DRAW_ID = Column("draw_id", pa.int64(), "ROW_ID of the laboratory table")
DRAW_TIME = Column("draw_time", TIME, "when the blood was drawn")
VALUE = Column("value", pa.float32(), "value of the study's analyte", ANALYTE_UNIT)
LABEL = Column("label", pa.int8(), "1 positive, 0 negative, null neither")
N_POSITIVE = Column("n_positive", pa.int32(), "draws labeled 1")
ROUND = Column("round", pa.int32(), "0 is the generic network")
N_TEST = Column("n_test", pa.int32(), "test draws")
RECORDING = Column("recording", pa.string(), "name of the WFDB record")
REASON = Column("reason", pa.string(), "why not used; null if used")
MODEL = Column("model", pa.string(), "generic, or the name of an arm")
HADM_ID = Column("hadm_id", pa.int32(), "HADM_ID of the admission")
ACCURACY = Column("accuracy", pa.float64(), "share of draws decided correctly")
AUC = Column("auc", pa.float64(), "area under the ROC curve")
SENSITIVITY = Column("sensitivity", pa.float64(), "share of positive draws decided positive")
SPECIFICITY = Column("specificity", pa.float64(), "share of negative draws decided negative")
DECISION = Column(
    "decision", pa.string(), "decision rule: vote, mean_logit, threshold; null for a metric that needs no decision"
)
METRIC = Column(
    "metric",
    pa.string(),
    "auc, auprc, brier, calibration_intercept, accuracy, sensitivity, specificity, ppv, npv",
)
HIGH = Column("high", pa.float64(), "upper 95% bound")
STAGE = Column("stage", pa.int32(), "stage of the network: 0 is the stem, 4 the last")
SAMPLE_FROM = Column("sample_from", pa.int64(), "first sample of the window, in the recording")
DETAIL = Column("detail", pa.string(), "the file or the value, and what is wrong with it")
HEART_RATE_BPM = Column("heart_rate_bpm", pa.float32(), "heart rate, from the median RR interval", "1/min")
N_NEGATIVE = Column("n_negative", pa.int32(), "draws labeled 0")
BASELINE = Column("baseline", pa.string(), "name of the baseline")
PATIENTS = Column("patients", pa.int32(), "number of patients")
RESAMPLE = Column("resample", pa.int32(), "from 0")
N_DRAWS = Column("n_draws", pa.int32(), "scored draws")
SHARES_AND_AUC = (ACCURACY, AUC, SENSITIVITY, SPECIFICITY)
METRICS = (N_TEST, N_POSITIVE, *SHARES_AND_AUC)
