"""What the engines of an image accept: task types and the target types of each, as the chart's values list them."""

from collections.abc import Mapping
from typing import Final

from .config import ConfigPayload
from .target import TargetPayload, TargetType

Accepts = Mapping[str, tuple[TargetType, ...]]
"""From a task type, or ``*`` for every other one, to the target types that it takes. Empty: nothing is known here, and
the engine judges alone."""
ANY_TASK: Final = "*"


def task_problem(config: ConfigPayload, accepts: Accepts) -> str | None:
    """Say which task is of a type that the config type does not have, and which ones it has; or ``None``."""
    if not accepts or ANY_TASK in accepts:
        return None
    for name, task in (config.tasks or {}).items():
        if task.type not in accepts:
            return (
                f"tasks.{name} is of type {task.type}, which config type {config.type} does not have here. "
                f"It has: {', '.join(sorted(accepts))}"
            )
    return None


def pair_problem(target: TargetPayload, config: ConfigPayload, accepts: Accepts) -> str | None:
    """Say what cannot be evaluated with a target of this type, and which types can; or ``None``.

    A config without tasks is held against all target types of its config type. Call ``task_problem`` before.
    """
    if not accepts:
        return None
    everything = frozenset().union(*accepts.values())
    wanted = [
        (f"tasks.{name} (type {task.type})", frozenset(accepts.get(task.type, accepts.get(ANY_TASK, ()))))
        for name, task in (config.tasks or {}).items()
    ] or [(f"config type {config.type}", everything)]
    for what, types in wanted:
        if target.type not in types:
            return (
                f"{what} takes a target of type {' or '.join(sorted(types))}, and the target is of type {target.type}"
            )
    return None
