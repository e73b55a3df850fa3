"""What a page that may be shared must not hold: ids and dates of a study's results."""

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_IDS = re.compile(r"(subject|draw|hadm|stay|recording|record|admission)(_id|_name)?$")


def private_values(results: Path) -> Iterator[str]:
    """Every id and every date of the tables that the study's results hold."""
    for path in results.rglob("*.parquet"):
        table = pq.read_table(path)
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_timestamp(column.type):
                yield from {f"{time:%Y-%m-%d}" for time in column.to_pylist() if time}
            elif _IDS.fullmatch(name):
                yield from {str(value) for value in column.to_pylist() if value is not None and len(str(value)) > 2}


def those_on(page: str, private: Iterable[str]) -> list[str]:
    """Those of the values that are on a page, an id also as a folder has it, such as p010059."""
    return [one for one in private if re.search(rf"(?<!\w)p?0*{re.escape(one)}(?!\w)", page)]


def text_of_page(path: Path) -> str:
    """What a person or a search for attributes can read of a page: everything but style and script."""
    source = re.sub(r"(?s)<(style|script)>.*?</\1>", "", path.read_text("utf-8"))
    return html.unescape(source)
