"""Description of VitalDB as a source, and the names of its files in each of its three forms."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kalemia.core.config import is_url
from kalemia.core.errors import UserError
from kalemia.sources import Source
from kalemia.sources.description import SourceDescription
from kalemia.sources.people import People

if TYPE_CHECKING:
    from kalemia.sources.vitaldb.case_tables import Case

CASES, LABS = "CASES", "LABS"
_API_NAMES = {CASES: "cases", LABS: "labs"}
_PHYSIONET_NAMES = {CASES: "clinical_data", LABS: "lab_data"}
_PHYSIONET_URL = re.compile(r"/vitaldb/[\d.]+/?$")
_API_FILE, _PHYSIONET_FILE = "{}.vital", "vital_files/{:04}.vital"  # of a case


class VitaldbDescription(SourceDescription):
    """Tables and `.vital` files in folders or at URLs: PhysioNet's if they end in vitaldb/1.0.0, else the web API."""

    description = "VitalDB's surgical cases"
    shares_draw_ids = False  # they are lines of a table
    matches_by_tables = True
    reads_urls = True

    @property
    def publishes_sums(self) -> bool:
        return _is_physionet(self.study.source.tables)

    def check(self) -> None:
        from kalemia.sources.vitaldb.case_tables import LABS as LAB_NAMES

        super().check()
        unknown = [item for item in self.study.analyte.items if item not in LAB_NAMES]
        if unknown:
            known = ", ".join(f"{item} ({name})" for item, (name, _) in LAB_NAMES.items())
            raise UserError(f"config: analyte.items: {unknown[0]} is not in VitalDB, of which {known} are read")

    def input_files(self, subjects: Iterable[str] | None = None) -> list[str]:
        """None: VitalDB's files do not change, and the table of cases is an input of its own."""
        return []

    def tables(self) -> tuple[str, ...]:
        return CASES, LABS

    def missing_files(self) -> list[str]:
        """Also one line if a folder has no file of any case."""
        folder, lines = Path(self.waveforms), super().missing_files()
        if not self.downloads_recordings and not any([*folder.glob("*.vital"), *folder.glob("vital_files/*.vital")]):
            lines.append(
                f"source.waveforms: {folder} has no file of a case, neither 3.vital nor vital_files/0003.vital"
            )
        return lines

    def cohort_tables(self) -> list[str]:
        return [self.table_path(name) for name in (CASES, LABS)]

    def people_tables(self) -> list[str]:
        return [self.table_path(CASES)]

    def people(self) -> People:
        from kalemia.sources.vitaldb.case_tables import people_of

        return people_of(self._cases())

    def table_path(self, name: str) -> str:
        folder = Path(self.tables_folder)
        if self.downloads_tables:
            return str(folder / f"{name}.csv.gz")
        stems = (_PHYSIONET_NAMES[name], _API_NAMES[name])
        paths = (folder / f"{stem}{ending}" for stem in stems for ending in (".csv.gz", ".csv", ""))
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise UserError(f"source.tables: {folder} has neither {stems[0]}.csv nor {stems[1]}.csv")
        return str(found)

    def published_name(self, table: str) -> str:
        return f"{_PHYSIONET_NAMES[table]}.csv.gz" if self.publishes_sums else _API_NAMES[table]

    def open(self) -> Source:
        from kalemia.sources.remote.download_tables import SUMS
        from kalemia.sources.remote.http_files import Web
        from kalemia.sources.vitaldb.case_files import FetchedCaseFiles, LocalCaseFiles
        from kalemia.sources.vitaldb.vitaldb_source import Vitaldb

        settings, files = self.study.source, LocalCaseFiles(self.waveforms)
        if self.downloads_recordings:
            has_sums = _is_physionet(self.waveforms)
            name_of = (_PHYSIONET_FILE if has_sums else _API_FILE).format
            web = Web(self.waveforms, settings.max_attempts, settings.timeout_s, landmark=SUMS if has_sums else None)
            files = FetchedCaseFiles(web, name_of, has_sums, Path(self.study.cache_folder) / "vitaldb")
        return Vitaldb(self._cases(), files, self.table_path(LABS))

    def _cases(self) -> list["Case"]:
        from kalemia.sources.vitaldb.case_tables import read_cases

        return read_cases(self.table_path(CASES), self.study.source.cases, self.study.source.min_age_years)


def _is_physionet(place: str) -> bool:
    return is_url(place) and bool(_PHYSIONET_URL.search(place))
