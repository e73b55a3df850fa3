"""All kinds of sources. To add one: a module with a `SourceDescription` and its `Source`, and a line in `SOURCES`.

Nothing outside `kalemia.sources` tests source.kind: rules, scripts and pages ask the description.
"""

from kalemia.core.config import Study
from kalemia.sources.description import SourceDescription
from kalemia.sources.mimic_layout import Mimic4Description, PhysioNetDescription, SimulatedDescription
from kalemia.sources.user_recordings import UserRecordingsDescription
from kalemia.sources.vitaldb.layout import VitaldbDescription

# by source.kind
SOURCES: dict[str, type[SourceDescription]] = {
    "simulated": SimulatedDescription,
    "physionet": PhysioNetDescription,
    "mimic4": Mimic4Description,
    "vitaldb": VitaldbDescription,
    "local": UserRecordingsDescription,
}


def describe_source(study: Study) -> SourceDescription:
    """The description of a study's source; nothing is opened."""
    return SOURCES[study.source.kind](study)
