"""Other analytes on which a network is trained as on the study's own, to see whether it is that one which is read.

To add one, add an entry here, then `make generate`.
"""

import math

from kalemia.core.settings.data import Analyte, Range

MAX_HOURS = 1.0  # between a draw and the nearest value of the other analyte: of the same specimen, or of one beside it
_NO_CLASS = Range(above=math.inf)  # its classes depend on the patient (`kalemia.personal.controls`)


def _analyte(name: str, item: int, unit: str, lowest: float, highest: float) -> Analyte:
    return Analyte(
        name=name,
        unit=unit,
        items=(item,),
        positive=_NO_CLASS,
        negative=_NO_CLASS,
        plausible=Range(from_=lowest, to=highest),
        exclude_hemolyzed=False,
    )


CONTROL_ANALYTES = {  # serum or plasma, hemoglobin of whole blood: items of LABEVENTS in MIMIC-III and MIMIC-IV
    analyte.name: analyte
    for analyte in (
        _analyte("sodium", 50983, "mEq/L", 90, 200),
        _analyte("hemoglobin", 51222, "g/dL", 1, 25),
        _analyte("creatinine", 50912, "mg/dL", 0.1, 50),
        _analyte("bicarbonate", 50882, "mEq/L", 1, 60),
    )
}
