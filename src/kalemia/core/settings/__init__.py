"""The settings of a study, each declared once."""
