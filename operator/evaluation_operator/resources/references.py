"""Reference or inline: told apart by what is given, for targets and configs alike.

The rule is the API page's: a body with a name and no payload refers to a stored object; with a payload it is inline,
and its name and namespace are dropped. A ``type`` given with a reference must agree with the object's.
"""

from collections.abc import Mapping
from typing import Any, Final

from .base import Model
from .config import ConfigBody, ConfigPayload, EvaluationConfigSpec
from .target import PAYLOADS, EvaluationTargetSpec, TargetBody, TargetPayload

#: Fields of a stored spec or of a job's body that are not part of what gets pinned.
_TARGET_PAYLOAD: Final = set(TargetPayload.model_fields)
_CONFIG_PAYLOAD: Final = set(ConfigPayload.model_fields)


def target_is_reference(body: Model | Mapping[str, Any]) -> bool:
    """Say whether the body, a model or raw, names an EvaluationTarget (a name and no payload)."""
    if _name(body) is None:
        return False
    given = dict(body)
    return all(given.get(key) is None for key in PAYLOADS)


def config_is_reference(body: Model | Mapping[str, Any]) -> bool:
    """Say whether the body, a model or raw, names an EvaluationConfig (a name, no tasks or groups, and no params or
    empty ones)."""
    if _name(body) is None:
        return False
    given = dict(body)
    has_params = any(value is not None for value in dict(given.get("params") or {}).values())
    return not given.get("tasks") and not given.get("groups") and not has_params


def _name(body: Model | Mapping[str, Any]) -> object:
    return body.get("name") if isinstance(body, Mapping) else getattr(body, "name", None)


def pin_target(body: TargetBody | EvaluationTargetSpec) -> TargetBody:
    """Return only what is evaluated: without name, namespace and envelope."""
    return TargetBody.model_validate(body.model_dump(include=_TARGET_PAYLOAD, exclude_none=True))


def pin_config(body: ConfigBody | EvaluationConfigSpec) -> ConfigBody:
    """Return only how it is evaluated: without name, namespace and envelope."""
    return ConfigBody.model_validate(body.model_dump(include=_CONFIG_PAYLOAD, exclude_none=True))


def target_problem(body: TargetPayload) -> str | None:
    """Say what keeps an inline target from being usable, or ``None``."""
    given = body.payloads()
    if body.type is None:
        return f"give a type, one of {', '.join(PAYLOADS)}, and the key of that name"
    if not given:
        return f"type is {body.type}, so give the key {body.type} with its details"
    if given != [body.type]:
        return f"type is {body.type} but {', '.join(given)} is given; give only the key that type names"
    return None


def endpoint_problem(body: TargetPayload) -> str | None:
    """Say that a model is given by its name alone, as the REST API allows, and nothing tells where it answers; or
    ``None``. Such a target can be kept but not evaluated."""
    model = body.model
    name = model.entity.get("reference") if model is not None and model.entity is not None else None
    if model is None or model.api_endpoint is not None or not isinstance(name, str):
        return None
    return (
        f"the model {name[:256]} is given by its name only; give model.api_endpoint with url and model_id, or set "
        "api.entities.modelEndpoint of the chart before it is created through the REST API"
    )


def config_problem(body: ConfigPayload) -> str | None:
    """Say what keeps an inline config from being usable, or ``None``."""
    return None if body.type else "give a type, for example bfclv3"


def allows(allowed: list[str] | None, owner_namespace: str, namespace: str) -> bool:
    """Say whether an object in ``owner_namespace`` lets jobs of ``namespace`` refer to it."""
    return owner_namespace == namespace or bool({"*", namespace} & set(allowed or ()))
