"""The description of a study's source for rules, scripts and pages; it opens no recording and no connection."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from kalemia.core.config import Study, is_url
from kalemia.core.errors import UserError
from kalemia.sources import Source
from kalemia.sources.people import People


class RecordingRow(NamedTuple):
    """A recording that `kalemia check` opened.

    place: the line that names it; notes: what the ledger says of it; reason: why it is not used, None if it is.
    """

    name: str
    place: str
    lead: str
    rate: str = ""
    unit: str = ""
    minutes: str = ""
    notes: str = ""
    reason: str | None = None


class LoneSubjects(NamedTuple):
    """Names of subjects with draws and no recording, with recordings and no draw, and pairs that may be one person."""

    without_recording: Sequence[str] = ()
    without_draw: Sequence[str] = ()
    alike: Sequence[tuple[str, str]] = ()


class SourceDescription(ABC):
    """One kind of source; `kalemia.sources.registry` lists all kinds.

    description: for model cards, after "Source: "; is_simulated: whether the patients are simulated;
    has_clinical_database: whether the tables are those of MIMIC-III, with people, admissions and treatments;
    age_rule: what a page says after "age at the first draw used";
    shares_draw_ids: whether the id of a draw means the same draw in every study of this kind;
    matches_by_tables: whether tables alone say which recording has the ECG of a draw;
    reads_urls: whether recordings and tables may be at URLs.
    """

    description: str
    is_simulated = False
    has_clinical_database = False
    age_rule = ""
    shares_draw_ids = True
    matches_by_tables = False
    reads_urls = False

    def __init__(self, study: Study):
        self.study = study

    @property
    def waveforms(self) -> str:
        """The folder or base URL of the recordings."""
        return self.study.source.waveforms

    @property
    def tables_folder(self) -> str:
        """The local folder of the tables, as `open` reads them."""
        return f"{self.study.results}/source/tables" if self.downloads_tables else self.study.source.tables

    @property
    def clinical_folder(self) -> str | None:
        """The local folder of the clinical database; None if the source has none."""
        return self.tables_folder if self.has_clinical_database else None

    @property
    def downloads_recordings(self) -> bool:
        """Whether recordings are read by HTTP."""
        return is_url(self.waveforms)

    @property
    def downloads_tables(self) -> bool:
        """Whether a rule downloads the tables first."""
        return self.reads_urls and is_url(self.study.source.tables)

    @property
    def publishes_sums(self) -> bool:
        """Whether the server of the tables has SHA256SUMS.txt."""
        return True

    def check(self) -> None:
        """Raise `UserError`, in one line, if the configuration does not fit this kind of source."""
        for key, place in (("waveforms", self.study.source.waveforms), ("tables", self.study.source.tables)):
            if place is None:
                raise UserError(f"config: source.{key}: must be given when source.kind is {self.study.source.kind}")
            self.check_place(key, place)
        if not self.downloads_tables and not Path(self.tables_folder).is_dir():
            raise UserError(f"config: source.tables: {self.tables_folder} {says_no_folder(self.tables_folder)}")

    def check_place(self, key: str, place: str) -> None:
        """Raise `UserError` if source.waveforms or source.tables is not a place that this kind of source reads."""
        if is_url(place) and not self.reads_urls:
            raise UserError(f"config: source.{key}: must be a folder when source.kind is {self.study.source.kind}")
        if is_url(place) and "@" in urlsplit(place).netloc:  # not shown: it may hold a password
            raise UserError(
                f"config: source.{key}: holds a user name; set PHYSIONET_USERNAME and PHYSIONET_PASSWORD, or use netrc"
            )

    @abstractmethod
    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        """Local files that change when the recordings of some subjects (default: of all) do; none for a URL.

        Raises `UserError`.
        """

    def tables(self) -> tuple[str, ...]:
        """The names of the clinical tables that the study needs; none if the source has no clinical tables."""
        return ()

    def downloaded_tables(self) -> tuple[str, ...]:
        """The names of the tables that are downloaded."""
        return self.tables() if self.downloads_tables else ()

    def missing_files(self) -> list[str]:
        """One line for each table and list of recordings that folders on this machine lack."""
        lines = []
        for name in () if self.downloads_tables else self.tables():
            try:
                self.table_path(name)
            except UserError as error:
                lines.append(str(error))
        lists = () if self.downloads_recordings else self.input_files([])
        return lines + [f"source.waveforms: {path} does not exist" for path in lists if not Path(path).is_file()]

    @abstractmethod
    def cohort_tables(self) -> list[str]:
        """The tables that the cohort is made from; raises `UserError` if one is missing."""

    def people_tables(self) -> list[str]:
        """The tables that describe the subjects; none if the source has no such tables."""
        return []

    def people(self) -> People | None:
        """What these tables say of everybody; None if there are none."""
        return None

    def optional_tables(self) -> tuple[str, ...]:
        """The names of the optional tables that this study has."""
        return ()

    def table_path(self, name: str) -> str:
        """The local path of a clinical table by its name; raises `UserError` if it is missing."""
        raise UserError(f"source.kind {self.study.source.kind}: has no table {name}")

    def recording_rows(self) -> Iterator[RecordingRow]:
        """For `kalemia check`: each recording as its file describes it; none where there are too many to be opened."""
        return iter(())

    def lone_subjects(self) -> LoneSubjects:
        """The subjects of one table that the other lacks, where people write both."""
        return LoneSubjects()

    def subject_names(self) -> dict[int, str]:
        """Number -> name of the subjects that people call otherwise than `kalemia.core.paths.subject_name` does."""
        return {}

    def published_name(self, table: str) -> str:
        """The path of a clinical table below `source.tables` on the web."""
        return f"{table}.csv.gz"

    @abstractmethod
    def open(self) -> Source:
        """The source, ready to be read; a remote one is not contacted yet."""


def says_no_folder(path: str | Path) -> str:
    """What a path is that should be a folder and is not."""
    return "is a file; a folder is expected" if Path(path).exists() else "does not exist"
