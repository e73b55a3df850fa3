"""The campaigns of `make torture` in a short form; docs/reliability.md has what they promise and their figures."""

import importlib

import pytest

SHORT = ("kill_study", "full_disks", "races", "bad_files", "bad_settings", "arithmetic", "hostile_text")


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("name", SHORT)
def test_no_case_of_a_short_campaign_fails(name, tmp_path):
    found = importlib.import_module(name).run(tmp_path / name, seed=1, is_short=True)
    tallies = found if isinstance(found, list) else [found]
    assert [failure for tally in tallies for failure in tally.failures] == []
    if all(tally.not_run for tally in tallies):
        pytest.skip("; ".join(tally.not_run for tally in tallies))
    assert sum(tally.tried for tally in tallies) > 0
