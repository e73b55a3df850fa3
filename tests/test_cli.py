import pytest

from kalemia import __version__
from kalemia.cli import main


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_say_what_kalemia_is_not(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main([option])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Research use only, not a medical device." in said
    assert option == "--help" or said.startswith(f"kalemia {__version__}. ")
