"""What a job sets for BFCL: read once, checked, and refused with a reason where it would be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation_operator.resources.config import ConfigBody, Task
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.prompting import sampling
from evaluation_operator.runner.settings import ERROR_SHARE_KEY

from ..base import EndpointKind, InvalidSpec, UnsupportedTask
from .catalog import CONFIG_TYPES, SERVICE_KEYS

_EXTRA = ("native_calling", ERROR_SHARE_KEY, "custom_dataset", *SERVICE_KEYS)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """``name``: key in the results. ``type``: categories and groups. ``native``: tools instead of a prompt."""

    name: str
    type: str
    native: bool


def tasks(config: ConfigBody) -> list[TaskSettings]:
    """The tasks of the config; without any, the one of its type under the type's own name."""
    defaults = CONFIG_TYPES[config.type or ""]
    native = _native(config, defaults.native)
    if not config.tasks:
        return [TaskSettings(str(config.type), defaults.task, native)]
    return [_task(name, task, native) for name, task in config.tasks.items()]


def _task(name: str, task: Task, native: bool) -> TaskSettings:
    for key, given in (("params", task.params), ("dataset", task.dataset), ("metrics", task.metrics)):
        if given:
            raise InvalidSpec(
                f"config.tasks.{name}.{key}: a BFCL task has a type and nothing else; its questions and metric are "
                "those of the benchmark. Remove it (settings go into config.params)"
            )
    return TaskSettings(name, task.type, native)


def _extra(config: ConfigBody) -> Mapping[str, Any]:
    extra = (config.params.extra if config.params else None) or {}
    unknown = sorted(set(extra) - set(_EXTRA))
    if unknown:
        raise InvalidSpec(f"config.params.extra: BFCL does not know {', '.join(unknown)}. It knows {', '.join(_EXTRA)}")
    return extra


def _native(config: ConfigBody, default: bool) -> bool:
    extra = _extra(config)
    custom = extra.get("custom_dataset")
    if custom and (not isinstance(custom, Mapping) or any(value is not None for value in custom.values())):
        raise UnsupportedTask(
            "config.params.extra.custom_dataset: this runner evaluates the questions of the benchmark only"
        )
    native = extra.get("native_calling")
    if native is None:
        return default
    if not isinstance(native, bool):
        raise InvalidSpec(f"config.params.extra.native_calling: must be true or false, not {native!r}")
    return native


def keys_given(config: ConfigBody) -> list[str]:
    """Those of the service keys that the job gives."""
    return [key for key in SERVICE_KEYS if _extra(config).get(key)]


def has_temperature(config: ConfigBody, target: TargetBody) -> bool:
    """Whether the job gives a temperature; without one it is that of the harness."""
    return "temperature" in sampling(config.params, target.model.prompt if target.model else None)


def check_kind(kind: EndpointKind) -> None:
    """Refuse an endpoint that BFCL cannot evaluate."""
    if kind is not EndpointKind.CHAT:
        raise InvalidSpec(
            "target.model.api_endpoint.url: BFCL needs a chat endpoint, a URL that ends in /chat/completions"
        )
