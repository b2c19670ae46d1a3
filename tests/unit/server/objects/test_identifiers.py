"""Identifiers of v1 hold the UID, in the form that the contract documents."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.objects import identifiers

MAKERS = (identifiers.v1_job_id, identifiers.target_id, identifiers.config_id, identifiers.result_id)
uids = st.uuids(version=4).map(str)


@given(uids)
def test_every_identifier_can_be_turned_back(uid: str) -> None:
    for make in MAKERS:
        assert identifiers.uid_of(make(uid)) == uid
    assert len({make(uid) for make in MAKERS}) == len(MAKERS)


@given(st.uuids())
def test_any_uuid_has_one_form(value: UUID) -> None:
    identifier = identifiers.target_id(str(value))
    assert identifiers.uid_of(identifier, identifiers.TARGET) == str(value)
    assert identifiers.uid_of(identifier, identifiers.JOB) is None


@given(uids)
def test_a_random_uid_has_the_documented_length(uid: str) -> None:
    assert re.fullmatch(r"eval-target-[1-9A-HJ-NP-Za-km-z]{21,22}", identifiers.target_id(uid))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eval-",
        "eval-target-abc",
        "evaluation_result-" + "z" * 22,
        "eval-" + "0" * 22,
        "eval-" + "1" * 22,
        "model-" + "2" * 22,
        "eval-" + "2" * 22 + "\n",
        job_id("6e0a5c4e-6f5e-4a3b-9d2e-0123456789ab"),
    ],
)
def test_rubbish_has_no_uid(text: str) -> None:
    assert identifiers.uid_of(text) is None


def test_what_stands_inside_has_an_identifier_of_its_own() -> None:
    uid = "6e0a5c4e-6f5e-4a3b-9d2e-0123456789ab"
    model = identifiers.nested_id("model", uid, "target/model")
    assert model == identifiers.nested_id("model", uid, "target/model")
    assert model.startswith("model-")
    assert model != identifiers.nested_id("model", uid, "target/rag/pipeline/model")


def test_another_kind_of_uid_is_stable() -> None:
    assert identifiers.target_id("not-a-uuid") == identifiers.target_id("not-a-uuid")
