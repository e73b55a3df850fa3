"""Label a patient's draws by another analyte, in classes as large and as far apart as those of the study's own."""

from collections.abc import Mapping, Sequence

from kalemia.personal.episodes import Draw


def label_by_control(draws: Sequence[Draw], value_of: Mapping[int, float]) -> dict[int, int]:
    """The label, 1 high or 0 low, of each draw that has one by the other analyte's values of draws; perhaps none.

    Of the draws that have a value, as many are high as are positive by the study's analyte, and as many low as are
    negative; those in the middle have no label, like those between the classes of the study. A median would leave out
    nothing between the classes, so that the other analyte would be harder to read for that alone. Equal values have
    the same label, or none if they reach into both classes.
    """
    known = [draw for draw in draws if draw.draw_id in value_of]
    n_high, n_low = (sum(draw.label == label for draw in known) for label in (1, 0))
    if not (n_high and n_low):
        return {}
    values = sorted(value_of[draw.draw_id] for draw in known)
    low, high = values[n_low - 1], values[-n_high]  # low <= high, because the classes have no draw in common
    if low == high:
        return {draw.draw_id: int(value_of[draw.draw_id] > low) for draw in known if value_of[draw.draw_id] != low}
    labels = {draw.draw_id: 1 for draw in known if value_of[draw.draw_id] >= high}
    return labels | {draw.draw_id: 0 for draw in known if value_of[draw.draw_id] <= low}
