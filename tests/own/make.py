"""How the recordings of this folder were made: a simulated ECG, small, in each of the three formats."""

from pathlib import Path

if __name__ == "__main__":
    import sys

    folder = Path(__file__).parent
    sys.path.insert(0, str(folder.parent))
    from own_files import write_csv, write_edf, write_wfdb

    write_wfdb(folder / "ward-3", 250, seconds=90)
    write_edf(folder / "holter-12.edf", 200, "uV", 1000, seconds=90)
    write_csv(folder / "monitor.csv", 100, seconds=90)
