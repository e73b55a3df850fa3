"""The files that are generated from declarations are up to date."""

import difflib

import pytest

from conftest import ROOT
from generate import FILES, main


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_up_to_date(name):
    written, generated = (ROOT / name).read_text("utf-8"), FILES[name]()
    lines = difflib.unified_diff(written.splitlines(), generated.splitlines(), name, "generated", lineterm="")
    difference = "\n".join(lines)
    assert not difference, (
        f"{name} has changed: edit the declarations in src/kalemia, then run `make generate`\n{difference}"
    )


def test_generate_writes_what_is_missing_and_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("generate.ROOT", tmp_path)
    main()
    assert capsys.readouterr().out.split() == list(FILES)
    assert all((tmp_path / name).read_text("utf-8") == make_text() for name, make_text in FILES.items())
    main()
    assert capsys.readouterr().out == ""
