import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.engines.base import SampleScore
from evaluation_operator.runner.statistics import BadScore, percentiles, publish, score_of


def test_an_accuracy() -> None:
    score = score_of([1.0] * 399 + [0.0])
    assert score.value == pytest.approx(0.9975)
    assert score.stats is not None
    assert (score.stats.count, score.stats.sum, score.stats.min, score.stats.max) == (400, 399, 0, 1)
    assert score.stats.stderr == pytest.approx(math.sqrt(0.9975 * 0.0025 / 400))
    assert score.stats.nan_count == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_agrees_with_the_standard_library(values: list[float]) -> None:
    stats = score_of(values).stats
    assert stats is not None
    assert stats.mean == pytest.approx(statistics.fmean(values))
    assert stats.variance == pytest.approx(statistics.pvariance(values), rel=1e-9, abs=1e-6)
    assert stats.stddev == pytest.approx(statistics.pstdev(values), rel=1e-9, abs=1e-6)
    assert stats.sum_squared == pytest.approx(math.fsum(value * value for value in values))


def test_values_that_are_no_number_are_counted_and_left_out() -> None:
    score = score_of([1.0, None, math.nan, 0.0])
    assert score.value == 0.5
    assert score.stats is not None
    assert (score.stats.count, score.stats.nan_count) == (2, 2)


def test_no_number_at_all_is_no_value() -> None:
    score = score_of([None, None])
    assert score.value is None
    assert score.stats is not None
    assert score.stats.to_json() == {"count": 0, "nan_count": 2}


def test_an_infinite_score_is_refused() -> None:
    with pytest.raises(BadScore):
        score_of([math.inf])
    with pytest.raises(BadScore, match="m/s"):
        publish([], {"m": {"s": -math.inf}})


def test_means_over_the_samples_that_have_the_score_and_aggregates_over_them() -> None:
    samples = [
        SampleScore("a", {"bfcl": {"simple": 1.0}}),
        SampleScore("b", {"bfcl": {"simple": 0.0}}),
        SampleScore("c", {"bfcl": {"parallel": 1.0}, "other": {"x": 2.0}}),
    ]
    published = publish(samples, {"bfcl": {"overall": 0.75, "parallel": 0.9}, "corpus": {"bleu": math.nan}})
    assert published["bfcl"].scores["simple"].value == 0.5
    assert published["bfcl"].scores["overall"].to_json() == {"value": 0.75}
    replaced = published["bfcl"].scores["parallel"]
    assert replaced.value == 0.9
    assert replaced.stats is not None
    assert replaced.stats.mean == 1.0
    assert published["other"].scores["x"].value == 2.0
    assert published["corpus"].scores["bleu"].value is None


def test_percentiles_are_measured_values() -> None:
    assert percentiles([]) == {}
    assert percentiles([3.0]) == {"p50": 3.0, "p95": 3.0, "p99": 3.0}
    assert percentiles([float(n) for n in range(100, 0, -1)]) == {"p50": 50, "p95": 95, "p99": 99}
