"""VitalDB: surgical cases with hours of ECG and laboratory values, by its web API, PhysioNet's copy, or a folder."""
