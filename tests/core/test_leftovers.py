from kalemia.core.runs.leftovers import delete, unfinished_paths
from kalemia.core.tables import write_text

KEPT = {"results/cohort/draws.parquet", "results/beats/p000001.parquet", "elsewhere/.a.txt.0123abcd.part"}
MARKED = {"results/beats/p000002.parquet", "results/excerpts/batch-0"}
PARTS = {"results/beats/.p000003.parquet.0123abcd.part", "results/beats/.batch-1.0123abcd.part"}


def test_marked_files_and_parts_are_deleted_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {"results/excerpts/batch-0", "results/beats/.batch-1.0123abcd.part"}
    for name in (KEPT | MARKED | PARTS | {f"{folder}/.b.0123abcd.part" for folder in folders}) - folders:
        write_text(name, "")
    left = unfinished_paths("results", lambda paths: set(paths) & (MARKED | {"results/never/made.json"}))
    assert set(left) == MARKED | PARTS | {f"{folder}/.b.0123abcd.part" for folder in folders}
    for path in left:
        delete(path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == KEPT
