"""The way from one phase to another through the v2 transition table (`resources/phases.py`).

Some turns of events have no single transition: a job that completes while it is being paused goes pausing → paused →
active → completed. Each step is written on its own, so that no reader of the status ever sees a transition which the
table does not have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources.phases import CANCELLING, CREATED, PENDING, PHASES, RESUMING, TRANSITIONS

_PREFERRED: Final = (RESUMING, CANCELLING, PENDING)
_ORDER: Final = (*_PREFERRED, *(phase for phase in PHASES if phase not in _PREFERRED))


def current_phase(status: Mapping[str, Any]) -> str:
    """Return the phase in a status; `created` when there is none yet, or something that is no phase."""
    phase = status.get("phase")
    return phase if isinstance(phase, str) and phase in PHASES else CREATED


def next_step(current: str, wanted: str) -> str | None:
    """Return the first phase on the shortest way from `current` to `wanted`, `current` itself when they are the
    same, and None when there is no way (from a terminal phase, or from `cancelling` to anything but an end).

    Of two ways of the same length, the one is taken that claims least: not over `active` when nothing is.
    """
    if current == wanted:
        return current
    first_steps = {current: current}
    queue = deque([current])
    while queue:
        phase = queue.popleft()
        for following in _ORDER:
            if following in TRANSITIONS[phase] and following not in first_steps:
                first_steps[following] = following if phase == current else first_steps[phase]
                if following == wanted:
                    return first_steps[following]
                queue.append(following)
    return None
