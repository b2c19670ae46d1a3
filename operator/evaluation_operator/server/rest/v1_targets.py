"""`/v1/evaluation/targets`: what can be evaluated, kept under names."""

from __future__ import annotations

from collections.abc import Callable

from evaluation_operator.cluster.port import EVALUATION_TARGETS
from evaluation_operator.server.index.grammar import TARGETS
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.objects import requests, v1
from evaluation_operator.server.rest.v1_entities import Entities, Kind
from evaluation_operator.server.writes import Writes


def targets(
    index: Index, writes: Writes, rendered: Rendered, *, wall_clock: Callable[[], float]
) -> Entities[requests.Target, requests.TargetUpdate]:
    """The calls on targets."""
    kind = Kind(
        word="target",
        resource=EVALUATION_TARGETS,
        new=requests.Target,
        change=requests.TargetUpdate,
        grammar=TARGETS,
        create=writes.create_target,
        update=writes.update_target,
        shown=v1.target,
    )
    return Entities(kind, index, writes, rendered, wall_clock=wall_clock)
