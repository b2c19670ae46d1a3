"""No inline secret survives pinning, wherever it stood; references become files."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.resources.secrets import MASK, PREFIX, SECRET_FIELDS, files, lift, mask

SECRET = "sk-very-secret-value"
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
names = st.text(max_size=6) | st.sampled_from(sorted(SECRET_FIELDS))
bodies = st.dictionaries(
    names,
    st.recursive(
        leaves | st.just(SECRET),
        lambda child: st.lists(child, max_size=3) | st.dictionaries(names, child, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


def secret_values(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in secret_values(item)]
    if isinstance(value, dict):
        return [item for key, item in value.items() if key in SECRET_FIELDS and isinstance(item, str)] + [
            found
            for key, item in value.items()
            if not (key in SECRET_FIELDS and isinstance(item, str))
            for found in secret_values(item)
        ]
    return []


@given(bodies)
def test_every_inline_secret_is_lifted_and_masked(body: dict[str, Any]) -> None:
    before = json.dumps(body)
    lifted = lift(body, "target")
    assert sorted(lifted.inline.values()) == sorted(secret_values(body))
    assert all(word.startswith(PREFIX) for word in secret_values(lifted.body))
    assert set(files(lifted.body)) == set(lifted.inline) | {reference.file for reference in lifted.references}
    assert all(word == MASK for word in secret_values(mask(body)))
    assert json.dumps(body) == before


def test_a_reference_takes_the_place_of_the_inline_key() -> None:
    body = {"api_endpoint": {"api_key": "ignored", "api_key_secret": {"name": "nim", "key": "token"}}}
    lifted = lift(body, "target")
    (reference,) = lifted.references
    assert (reference.name, reference.key) == ("nim", "token")
    assert lifted.body == {"api_endpoint": {"api_key": PREFIX + reference.file}}
    assert lifted.inline == {}


def test_a_malformed_reference_is_data_and_the_inline_key_still_goes() -> None:
    lifted = lift({"api_key": SECRET, "api_key_secret": {"name": 3}}, "target")
    assert list(lifted.inline.values()) == [SECRET]
    assert SECRET not in json.dumps(lifted.body)


def test_target_and_config_never_share_a_file() -> None:
    body = {"params": {"api_key": SECRET}}
    assert not lift(body, "target").inline.keys() & lift(body, "config").inline.keys()
