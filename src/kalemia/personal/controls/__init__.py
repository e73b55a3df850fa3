"""Networks trained on other analytes of the same patients: their labels, and their runs."""

OWN_RUN, SHIFTED_RUN = "own", "shifted"  # kinds of runs on another analyte
