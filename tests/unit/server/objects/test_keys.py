"""Keys never stay in a body, and `******` means the one that is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.resources.identity import ANNOTATION_MADE_FOR
from evaluation_operator.resources.secrets import MASK, SECRET_FIELDS, lift
from evaluation_operator.server.objects import keys
from evaluation_operator.server.objects.keys import KeyRefused
from evaluation_operator.server.objects.masking import masked
from tests.unit.server.objects import given as g

SECRET = "sk-hunter2"
OWN = {"name": "my-secret", "key": "token"}


def bodies(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies with keys at any depth."""
    inner = st.recursive(
        st.integers() | g.text,
        lambda value: (
            st.lists(value, max_size=2)
            | st.dictionaries(g.keys, value, max_size=2)
            | st.dictionaries(st.sampled_from(sorted(SECRET_FIELDS)), leaf, max_size=2)
        ),
        max_leaves=8,
    )
    return st.dictionaries(g.keys, inner, max_size=3)


@given(bodies(st.just(SECRET)))
def test_no_key_stays_in_the_body_nor_in_an_answer(part: dict[str, Any]) -> None:
    kept = keys.kept({"target": part})
    shown = masked(kept.body)
    assert SECRET not in json.dumps(kept.body) + json.dumps(shown) + repr(kept)
    assert masked(part) == shown["target"]
    assert (kept.secret in keys.secrets_of(kept.body)) == bool(kept.values)
    # The operator reads the same key from the place that the reference names.
    references = lift(kept.body["target"], "target").references
    assert {reference.key for reference in references} == set(kept.values)
    assert set(kept.values.values()) <= {SECRET}


@given(bodies(st.just(SECRET)))
def test_what_was_shown_can_be_sent_back(part: dict[str, Any]) -> None:
    old = keys.kept({"target": part}).body
    again = keys.kept({"target": masked(old["target"])}, old)
    assert (again.body, again.values) == (old, {})


def test_a_key_of_an_older_object_moves_into_a_secret() -> None:
    old = {"target": {"api_key": SECRET}}
    kept = keys.kept({"target": {"api_key": MASK}}, old)
    assert list(kept.values.values()) == [SECRET]


def test_an_own_secret_stays_and_is_shown_beside_the_mask() -> None:
    old = {"target": {"api_key_secret": OWN}}
    shown = masked(old["target"])
    assert shown == {"api_key": MASK, "api_key_secret": OWN}
    assert keys.kept({"target": shown}, old).body == old


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_key_is_none(empty: str | None) -> None:
    kept = keys.kept({"target": {"api_key": empty, "x": 1}})
    assert (kept.body, kept.values) == ({"target": {"x": 1}}, {})


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"model": {"api_key": MASK}}, ("target", "model", "api_key")),
        ({"tasks": [{"api_key": 12345}]}, ("target", "tasks", 0, "api_key")),
        ({"api_key": {"value": "x"}}, ("target", "api_key")),
        ({"api_key_secret": OWN}, ("target", "api_key_secret")),
        ({"hf_token_secret": "my-secret"}, ("target", "hf_token_secret")),
    ],
)
def test_what_cannot_be_a_key_is_refused(sent: dict[str, Any], where: tuple[str | int, ...]) -> None:
    with pytest.raises(KeyRefused) as caught:
        keys.kept({"target": sent})
    assert caught.value.where == where


def test_references_are_taken_when_the_settings_say_so() -> None:
    body = {"target": {"api_key_secret": OWN}}
    assert keys.kept(body, references=True).body == body


def test_the_secret_says_whose_it_is() -> None:
    kept = keys.kept({"target": {"api_key": SECRET}})
    manifest = kept.manifest("evaluationtargets/t")
    annotations = {ANNOTATION_MADE_FOR: "evaluationtargets/t"}
    assert manifest["metadata"] == {"name": kept.secret, "labels": dict(keys.LABELS), "annotations": annotations}
    assert list(manifest["stringData"].values()) == [SECRET]
