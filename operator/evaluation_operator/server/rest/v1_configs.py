"""`/v1/evaluation/configs`: how something can be evaluated, kept under names."""

from __future__ import annotations

from collections.abc import Callable

from evaluation_operator.cluster.port import EVALUATION_CONFIGS
from evaluation_operator.server.index.grammar import CONFIGS
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.objects import requests, v1
from evaluation_operator.server.rest.v1_entities import Entities, Kind
from evaluation_operator.server.writes import Writes


def configs(
    index: Index, writes: Writes, rendered: Rendered, *, wall_clock: Callable[[], float]
) -> Entities[requests.Config, requests.ConfigUpdate]:
    """The calls on configs."""
    kind = Kind(
        word="config",
        resource=EVALUATION_CONFIGS,
        new=requests.Config,
        change=requests.ConfigUpdate,
        grammar=CONFIGS,
        create=writes.create_config,
        update=writes.update_config,
        shown=v1.config,
    )
    return Entities(kind, index, writes, rendered, wall_clock=wall_clock)
