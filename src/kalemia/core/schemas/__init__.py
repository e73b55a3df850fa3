"""The files that stages hand to each other: every table with its columns, types, units and descriptions.

To add a column, add it to its table here and to the code that writes it, then run `make generate`.
"""

from kalemia.core.schemas.beats import BEATS_TABLES
from kalemia.core.schemas.cohort import COHORT_TABLES
from kalemia.core.schemas.declaration import BEAT_SAMPLES, FAULT, R_INDEX, RATE_HZ, SEGMENT, JsonFile, Table
from kalemia.core.schemas.evaluation import EVALUATION
from kalemia.core.schemas.explanation import EXPLANATION_TABLES
from kalemia.core.schemas.models import MODELS_TABLES
from kalemia.core.schemas.networks import NETWORKS_TABLES

VERSION = 3
ALL_TABLES = tuple(
    table
    for table in (*COHORT_TABLES, *BEATS_TABLES, *NETWORKS_TABLES, *EVALUATION, *EXPLANATION_TABLES, *MODELS_TABLES)
    if isinstance(table, Table)
)
TABLES = {table.kind: table for table in ALL_TABLES}
SCHEMAS = {kind: table.schema for kind, table in TABLES.items()}
EXPLANATION = tuple(table.kind for table in EXPLANATION_TABLES)  # a patient has one table of each kind

__all__ = [
    "ALL_TABLES",
    "BEAT_SAMPLES",
    "EVALUATION",
    "EXPLANATION",
    "FAULT",
    "RATE_HZ",
    "R_INDEX",
    "SCHEMAS",
    "SEGMENT",
    "TABLES",
    "VERSION",
    "JsonFile",
    "Table",
]
