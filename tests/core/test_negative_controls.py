from kalemia.core.negative_controls import FALSE_LABELS, NEGATIVE_CONTROLS, TRAINED
from kalemia.core.wording import display_name


def test_flags_choose_the_kinds_that_other_modules_walk():
    assert TRAINED[:3] == ("shuffled", "shifted", "between_beats")
    assert "stranger" not in TRAINED
    assert FALSE_LABELS == ("shuffled", "shifted")


def test_every_description_is_one_sentence_and_every_label_an_own_one():
    for control in NEGATIVE_CONTROLS.values():
        assert control.doc.endswith(".")
        assert control.doc.count(".") == 1
        assert not control.if_matched.endswith(".")
    assert len({control.label for control in NEGATIVE_CONTROLS.values()}) == len(NEGATIVE_CONTROLS)


def test_pages_print_the_label_of_a_negative_control():
    assert [display_name(name) for name in ("between_beats", "platt_offset", "ecg_measures")] == [
        "TP-segment", "Platt offset", "ECG measures",
    ]  # fmt: skip
