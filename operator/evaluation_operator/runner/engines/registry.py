"""Which engine runs which config type. Engines are imported only when a job asks for them.

The project's own are in the table. An organisation adds its own in its own image: a package by an entry point of the
group ``evaluation_operator.engines`` (the name is the config type, the value ``module:attribute`` of a factory without
arguments, an ``Engine`` class), a single module by the variable ``EVALUATION_ENGINES`` of the image.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from evaluation_operator.resources import outcomes

from ..errors import RunError
from .base import Engine

ENTRY_POINT_GROUP: Final = "evaluation_operator.engines"
VARIABLE: Final = "EVALUATION_ENGINES"
"""``type=module:attribute``, several separated by spaces."""
_BFCL: Final = "evaluation_operator.runner.engines.bfcl.engine:BfclEngine"
BUILT_IN: Final[dict[str, str]] = {
    "bfclv3": _BFCL,
    "bfclv3_ast": _BFCL,
    "bfclv3_ast_prompting": _BFCL,
    "bfclv2": _BFCL,
    "bfclv2_ast": _BFCL,
    "bfclv2_ast_prompting": _BFCL,
    "custom": "evaluation_operator.runner.engines.custom.engine:CustomEngine",
    "similarity_metrics": "evaluation_operator.runner.engines.similarity.engine:SimilarityEngine",
}


def config_types() -> dict[str, str]:
    """Return every known config type with the factory that serves it, as ``module:attribute``.

    Raises ``RunError`` when the image's variable cannot be read.
    """
    found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    return dict(sorted((found | _of_image(os.environ.get(VARIABLE, "")) | BUILT_IN).items()))


def _of_image(text: str) -> dict[str, str]:
    found = {}
    for word in text.split():
        config_type, _, factory = word.partition("=")
        if not config_type or not all(factory.partition(":")):
            raise RunError(
                outcomes.INVALID_SPEC,
                f"{VARIABLE} of this image has {word!r}, which is not type=module:attribute; correct its Containerfile",
            )
        found[config_type] = factory
    return found


def load(config_type: str | None) -> Engine:
    """Return a new engine for the type. Raises ``RunError`` (InvalidSpec) for an unknown type, or one whose
    packages
    are not installed here."""
    known = config_types()
    factory = known.get(config_type or "")
    if factory is None:
        raise RunError(
            outcomes.INVALID_SPEC,
            f"config type {config_type!r} has no engine in this runner; it has: {', '.join(known)}",
        )
    family = factory.split(":")[0].removeprefix("evaluation_operator.runner.engines.").split(".")[0]
    try:
        make: Callable[[], object] = EntryPoint(config_type or "", factory, ENTRY_POINT_GROUP).load()
    except (ImportError, AttributeError) as error:
        raise RunError(
            outcomes.INVALID_SPEC,
            f"the engine of config type {config_type} cannot be loaded here ({error}); use the image of that type, or "
            f"install its packages (for the project's own: pip install 'evaluation-operator[{family}]')",
        ) from error
    engine = make()
    if not isinstance(engine, Engine):
        raise TypeError(f"{factory} is not a factory of an Engine but of {type(engine).__name__}")
    return engine
