"""Descriptions of the sources in PhysioNet's layout: MIMIC-III, MIMIC-IV, and the simulated cohort."""

from collections.abc import Iterable
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.sources import Source
from kalemia.sources.description import SourceDescription
from kalemia.sources.mimic_codes import MIMIC4_PATHS, OPTIONAL_TABLES, TABLES
from kalemia.sources.people import People

DATABASE = "mimic3wdb-matched/1.0"
RECORDINGS = "RECORDS-waveforms"  # the list of all recordings
RECORD_LIST = "record_list.csv"  # that of MIMIC-IV-ECG


class PhysioNetDescription(SourceDescription):
    """Recordings and tables in folders or at URLs."""

    description = "recordings and tables in PhysioNet's layout"
    has_clinical_database = True
    reads_urls = True
    age_rule = " (91.4 if MIMIC-III hides an age above 89)"

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        return [] if self.downloads_recordings else [f"{self.waveforms}/{DATABASE}/{RECORDINGS}"]

    def cohort_tables(self) -> list[str]:
        return [self.table_path(name) for name in TABLES]

    def tables(self) -> tuple[str, ...]:
        return (*TABLES, *self.optional_tables())

    def people_tables(self) -> list[str]:
        return [self.table_path(name) for name in ("PATIENTS", "ADMISSIONS")]

    def people(self) -> People:
        from kalemia.sources.mimic_tables import read_people

        return read_people(self.tables_folder)

    def optional_tables(self) -> tuple[str, ...]:
        chosen = self.study.source.optional_tables
        if self.downloads_tables or chosen is not None:
            return chosen or ()
        from kalemia.sources.mimic_tables import existing_tables

        return tuple(existing_tables(self.tables_folder, OPTIONAL_TABLES))

    def table_path(self, name: str) -> str:
        if self.downloads_tables:
            return f"{self.tables_folder}/{name}.csv.gz"
        from kalemia.sources.mimic_tables import table_path

        return str(table_path(self.tables_folder, name))

    def open(self) -> Source:
        from kalemia.sources.physionet import PhysioNet

        if not self.downloads_recordings:
            return PhysioNet(self.waveforms, self.tables_folder)
        from kalemia.sources.remote.http_files import Web
        from kalemia.sources.storage import HttpStorage

        settings, url = self.study.source, f"{self.waveforms.rstrip('/')}/{DATABASE}"
        web = Web(url, settings.max_attempts, settings.timeout_s, settings.max_connections, landmark=RECORDINGS)
        storage = HttpStorage(web, Path(self.study.cache_folder) / DATABASE)
        return PhysioNet(storage, self.tables_folder, settings.max_connections)


class Mimic4Description(PhysioNetDescription):
    """MIMIC-IV's tables and 12-lead ECGs in folders or at URLs, the demo's or the whole sets'."""

    description = "MIMIC-IV and MIMIC-IV-ECG in PhysioNet's layout"
    age_rule = " (to half a year; of people above 89 as if they were 91 in the year that MIMIC-IV gives)"

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        return [] if self.downloads_recordings else [f"{self.waveforms}/{RECORD_LIST}"]

    def optional_tables(self) -> tuple[str, ...]:
        unknown = sorted(set(self.study.source.optional_tables or ()) - set(MIMIC4_PATHS))
        if unknown:
            raise UserError(f"config: source.optional_tables: {unknown[0]} is not a table of source.kind mimic4")
        return super().optional_tables()

    def published_name(self, table: str) -> str:
        return f"{MIMIC4_PATHS[table]}.csv.gz"

    def open(self) -> Source:
        from kalemia.sources.mimic4_ecg import Mimic4Ecg
        from kalemia.sources.remote.http_files import Web
        from kalemia.sources.storage import HttpStorage, LocalStorage

        if not self.downloads_recordings:
            return Mimic4Ecg(LocalStorage(self.waveforms), self.tables_folder)
        settings = self.study.source
        limits = settings.max_attempts, settings.timeout_s, settings.max_connections
        web = Web(self.waveforms, *limits, landmark=RECORD_LIST)
        storage = HttpStorage(web, Path(self.study.cache_folder) / "mimic-iv-ecg")
        return Mimic4Ecg(storage, self.tables_folder, settings.max_connections)


class SimulatedDescription(PhysioNetDescription):
    """The simulated cohort, which a rule writes into the results folder."""

    description = "a simulated cohort in PhysioNet's layout"
    age_rule = ""
    is_simulated = True
    downloads_tables = False

    @property
    def waveforms(self) -> str:
        return f"{self.study.results}/source"

    @property
    def tables_folder(self) -> str:
        return f"{self.study.results}/source/mimiciii/1.4"

    def check(self) -> None:
        """The simulated patients have potassium, too much or too little of it."""
        analyte = self.study.analyte
        positive = analyte.positive
        bounds = [bound for bound in (positive.above, positive.from_) if bound > float("-inf")]
        is_high = len(bounds) == 1 and 5.0 <= bounds[0] <= 7.0 and positive.to == positive.below == float("inf")
        bounds = [bound for bound in (positive.below, positive.to) if bound < float("inf")]
        is_low = len(bounds) == 1 and 2.8 <= bounds[0] <= 4.0 and positive.above == positive.from_ == float("-inf")
        if (analyte.name, analyte.unit) != ("potassium", "mEq/L") or not (is_high or is_low):
            raise UserError(
                "config: analyte: source.kind simulated supports only potassium in mEq/L, with analyte.positive above a"
                " value from 5 to 7, or below one from 2.8 to 4"
            )

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        return [f"{self.waveforms}/{DATABASE.split('/')[0]}"]

    def missing_files(self) -> list[str]:
        """None: what is not there yet is made."""
        return []

    def optional_tables(self) -> tuple[str, ...]:
        return OPTIONAL_TABLES

    def table_path(self, name: str) -> str:
        return f"{self.tables_folder}/{name}.csv.gz"
