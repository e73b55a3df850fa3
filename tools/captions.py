"""workflow/report/captions: one file for each figure and CSV table, because Snakemake takes captions only as files."""

from kalemia.report.outputs import STUDY_FIGURES, STUDY_TABLES


def caption_files() -> dict[str, str]:
    """The text of each caption file, by path."""
    captions = {name: figure.caption for name, figure in STUDY_FIGURES.items()}
    captions |= {f"table-{name}": caption for name, caption in STUDY_TABLES.items()}
    return {f"workflow/report/captions/{name}.rst": f"{caption}\n" for name, caption in captions.items()}
