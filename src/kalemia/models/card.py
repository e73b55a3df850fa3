"""What every model card is made of, and says: headings, sentences and tables, as Markdown or for a page.

The headings are those of Mitchell et al., Model Cards for Model Reporting, FAT* 2019, doi 10.1145/3287560.3287596.
"""

import re
from dataclasses import dataclass

_SPECIAL = re.compile(r"[\\`*\[\]|]")  # to Markdown, wherever they are in a line

SIMULATED = "All patients in these data are simulated: nothing here is a clinical result."
INTENDED = "Research on whether {analyte} can be read from bedside ECG, and on how personalization should be tested."
OUT_OF_SCOPE = (
    "Any use in the care of a patient: it is not a medical device, and it has not been evaluated in a clinical trial.",
    "Leads, monitors and sampling rates other than those in the training data; children; fibrillation and paced"
    " rhythms, which were excluded.",
    "Values between the two classes, which were not in the training data.",
)
TRAINED = {
    "last_stages": "the generic network with its last stages and a fresh head trained",
    "head": "the generic network with a fresh head trained",
    "all": "the generic network with all layers and a fresh head trained",
    "from_scratch": "a network trained from random weights",
}
GENERIC_ETHICS = (
    "Both classes were made equally frequent. Predictive values on a ward, where positive draws are rare, are far lower"
    " than the accuracy here suggests.",
    "Metrics were not computed by sex, age or ethnicity; with groups this small, equal performance must not be claimed"
    " for any of them.",
    "Weights can leak information about the people in the training data. If the data are under an agreement, as"
    " MIMIC-III is, the weights are too and must not be passed on.",
    "A false alarm costs a blood draw and attention; a missed case may cost a life. Training weighs neither cost.",
)
PERSONAL_METRICS = (
    "Test draws were never used for training.",
    "They are few and neighbors are alike; intervals that count this need all patients and are in"
    " evaluation/patient_metrics.parquet.",
)
PERSONAL_ETHICS = (
    "It was trained on one person's blood draws and ECG, and is that person's data: protect it as such.",
    "Test draws are few; a good result for one patient says nothing about the next.",
    "Electrodes, drugs and conditions change from day to day. It was tested on draws of the same stay or stays, and"
    " becomes outdated from its last training draw on.",
)


@dataclass(frozen=True)
class Table:
    """A table: its name and caption, the names of its columns, rows of texts, and whether a page keeps it folded."""

    name: str
    caption: str
    head: list[str]
    rows: list[list[str]]
    folded: bool = False


@dataclass(frozen=True)
class Part:
    """Sentences and perhaps a table under one heading."""

    heading: str
    sentences: list[str]
    table: Table | None = None


@dataclass(frozen=True)
class Card:
    """A model card."""

    title: str
    parts: list[Part]

    @property
    def markdown(self) -> str:
        """The card as a Markdown document, in which names from data can be no markup."""
        blocks = [f"# {_escaped(self.title)}"]
        for part in self.parts:
            blocks += [f"## {part.heading}", "\n".join(f"- {_escaped(sentence)}" for sentence in part.sentences)]
            if part.table:
                blocks += [part.table.caption + ":", _markdown_table(part.table)]
        return "\n\n".join(blocks) + "\n"


def _markdown_table(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\g<0>", line)
