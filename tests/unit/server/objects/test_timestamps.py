"""Times: the API's form, exact where the API wrote itself, and never backwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.resources.identity import ANNOTATION_CREATED, ANNOTATION_UPDATED
from evaluation_operator.server.objects import timestamps

CREATED = "2026-01-31T12:00:00Z"


def made(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "creationTimestamp": CREATED, "annotations": annotations}}


def test_without_a_fraction_it_is_zero() -> None:
    assert timestamps.created_at(made()) == "2026-01-31T12:00:00.000000"
    assert timestamps.updated_at(made()) == "2026-01-31T12:00:00.000000"


def test_what_the_api_made_is_exact() -> None:
    body = made(**{ANNOTATION_CREATED: "2026-01-31T11:59:59.987654Z"})
    assert timestamps.created_at(body) == "2026-01-31T11:59:59.987654"


@pytest.mark.parametrize("forged", ["2020-01-31T12:00:00.5Z", "2026-01-31T12:02:00Z", "soon", "", "9" * 30 + "Z"])
def test_a_forged_time_of_creation_counts_for_nothing(forged: str) -> None:
    assert timestamps.created_at(made(**{ANNOTATION_CREATED: forged})) == "2026-01-31T12:00:00.000000"


def test_a_change_from_the_future_counts_for_nothing() -> None:
    body = made(**{ANNOTATION_UPDATED: "9999-01-01T00:00:00Z"})
    body["metadata"]["managedFields"] = [{"time": "2026-01-31T13:00:00Z"}]
    assert timestamps.updated_at(body) == "2026-01-31T13:00:00.000000"


def test_every_change_is_a_change() -> None:
    body = made(**{ANNOTATION_UPDATED: "2026-01-31T12:00:01.5Z"})
    assert timestamps.updated_at(body) == "2026-01-31T12:00:01.500000"
    body["status"] = {
        "startTime": "2026-01-31T12:00:02Z",
        "conditions": [{"lastTransitionTime": "2026-01-31T12:00:03Z"}],
    }
    assert timestamps.updated_at(body) == "2026-01-31T12:00:03.000000"
    body["metadata"]["managedFields"] = [{"time": "2026-01-31T12:00:04Z"}, {"time": "x"}, {}]
    assert timestamps.updated_at(body) == "2026-01-31T12:00:04.000000"
    body["status"]["completionTime"] = "2026-01-31T12:00:05Z"
    assert timestamps.updated_at(body) == "2026-01-31T12:00:05.000000"


@given(st.lists(st.integers(0, 59), max_size=5))
def test_only_the_newest_change_is_kept_and_tells_the_same(seconds: list[int]) -> None:
    body = made()
    body["metadata"]["managedFields"] = [
        {"manager": "x", "fieldsV1": {"f:spec": {}}, "time": f"2026-01-31T12:00:{second:02}Z"} for second in seconds
    ]
    kept = timestamps.without_managers(body)
    assert timestamps.updated_at(kept) == timestamps.updated_at(body) >= timestamps.created_at(body)
    assert "fieldsV1" not in str(kept)
    assert body["metadata"]["managedFields"] == [] or len(kept["metadata"]["managedFields"]) == 1


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_stamp_is_read_as_it_was(moment: datetime) -> None:
    text = timestamps.nemo_time(timestamps.stamp(moment))
    assert text == timestamps.rendered(moment)
    assert datetime.fromisoformat(str(text)).tzinfo is None
    assert abs(datetime.fromisoformat(str(text)) - moment.replace(tzinfo=None)) < timedelta(microseconds=1)


@pytest.mark.parametrize("text", [None, 5, "", "2026-01-31", "2026-01-31T12:00:00", "later"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert timestamps.nemo_time(text) is None
