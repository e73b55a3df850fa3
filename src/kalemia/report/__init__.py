"""The report: figures as SVG, one page for the study and one for each patient."""
