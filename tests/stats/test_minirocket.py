import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kalemia.stats.minirocket import fit_minirocket

TIMES = np.arange(60)
SERIES = np.array(
    [
        np.sin(TIMES**1.5 / 7),
        np.cos(TIMES / 5) + 0.5 * np.sin(TIMES),
        np.exp(-((TIMES - 20.0) ** 2) / 8) + 0.3 * np.exp(-((TIMES - 40.0) ** 2) / 50),
    ]
)


def test_the_features_are_those_of_aeon():
    """aeon 1.6.0, `MiniRocket(random_state=0)` fitted to the first series only, so that its random choice is none."""
    features = fit_minirocket(SERIES[:1], 9996).features(SERIES)
    assert features.shape == (3, 9996)
    np.testing.assert_allclose(features.sum(axis=1), [4992.7461, 4990.5322, 5003.5908], atol=1e-3)
    np.testing.assert_allclose(features @ np.cos(np.arange(9996)), [4.044233, -7.611399, 0.443645], atol=1e-5)
    some = [0.1833, 0.5333, 0.8654, 0.3409, 0.6167, 0.9722, 0.4286, 0.7, 0.0833]
    np.testing.assert_allclose(features[0, 777::1111], some, atol=1e-4)


def test_there_are_as_many_features_as_asked_for_or_up_to_83_fewer():
    assert [fit_minirocket(SERIES, n).features(SERIES).shape[1] for n in (84, 1000, 1008)] == [84, 924, 1008]


@given(
    arrays(np.float64, (4, 30), elements=st.floats(-5, 5, width=16)),
    st.sampled_from([0.25, 2.0, 8.0]),
)
def test_the_unit_of_the_series_does_not_matter(series, factor):
    features = fit_minirocket(series, 336).features(series)
    assert ((features >= 0) & (features <= 1)).all()
    np.testing.assert_array_equal(features, fit_minirocket(factor * series, 336).features(factor * series))


def test_a_constant_does_not_matter_where_the_kernel_lies_within_the_series():
    fitted = fit_minirocket(SERIES, 84)  # one dilation: every other kernel, from the second on, is within the series
    within = fitted.features(SERIES)[:, 1::2]
    assert within == pytest.approx(fitted.features(SERIES + 1e-9)[:, 1::2])
    assert within == pytest.approx(fitted.features(SERIES + 1.0)[:, 1::2], abs=0.02)
