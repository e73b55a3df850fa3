"""Kalemia: hyperkalemia from bedside ECG, personalized, and the proof of what that is worth. Research use only."""

__version__ = "0.1.0"
