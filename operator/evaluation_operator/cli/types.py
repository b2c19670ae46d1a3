"""``evaluation types``."""

from __future__ import annotations

import json

from evaluation_operator.runner.engines.registry import config_types


def list_types(*, as_json: bool) -> int:
    """Print the config types that have an engine. Returns the exit code."""
    known = config_types()
    if as_json:
        print(json.dumps(list(known)))
    else:
        width = max(map(len, known), default=0)
        for name, factory in known.items():
            print(f"{name:<{width}}  {factory.split(':')[0]}")
    return 0
