"""Names that Kubernetes does not allow are kept, found again, and as unique as the object's name."""

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from evaluation_operator.resources.identity import ANNOTATION_NAME
from evaluation_operator.server.objects import names

api_names = st.from_regex(names.NAME_PATTERN, fullmatch=True).filter(lambda name: 0 < len(name) <= names.MAX_NAME)


def stored(name: str | None) -> dict[str, Any]:
    object_name, annotations = names.naming(name, "target")
    return {"metadata": {"name": object_name, "annotations": annotations}}


@given(api_names)
@example("my.target-1")
@example("Llama@v1:8b+x_y")
@example("-")
@example("a" * 254)
@example(names.object_name("A"))
@example("x-g" + "0" * 20)
def test_a_name_is_kept_and_its_object_found(name: str) -> None:
    body = stored(name)
    found = body["metadata"]["name"]
    assert names.nemo_name(body, "eval-target-1") == name
    assert names.object_name(name) == found
    assert len(found) <= 253
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", found)


@given(api_names, api_names)
def test_two_names_are_two_objects(one: str, other: str) -> None:
    assert (names.object_name(one) == names.object_name(other)) == (one == other)


def test_a_good_name_is_the_objects_name() -> None:
    assert names.naming("my.target-1", "target") == ("my.target-1", {})


def test_a_name_cannot_pass_for_one_that_was_made() -> None:
    made = names.object_name("Llama@v1")
    assert made.startswith("llama-v1-n")
    assert names.object_name(made) != made


def test_without_a_name_the_identifier_is_the_name() -> None:
    first, second = stored(None), stored(None)
    assert first != second
    assert names.nemo_name(first, "eval-target-1") == "eval-target-1"


def test_an_annotation_that_does_not_fit_its_object_counts_for_nothing() -> None:
    for forged in ("other", "", 5):
        body = {"metadata": {"name": "mine", "annotations": {ANNOTATION_NAME: forged}}}
        assert names.nemo_name(body, "eval-target-1") == "mine"
    assert names.nemo_name({"metadata": {"name": "mine"}}, "eval-target-1") == "mine"
