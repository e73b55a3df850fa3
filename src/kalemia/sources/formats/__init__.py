"""Readers of one lead of a file, one module a format: WFDB, EDF and BDF, CSV."""
