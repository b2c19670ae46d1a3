"""The Secret with the keys that stood inline in a job's spec, target or config."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from evaluation_operator.manifests.labels import metadata, secret_name
from evaluation_operator.resources.pinned import PinnedJob


def secret(pinned: PinnedJob, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the Secret; `values` maps file names to keys. It cannot be changed later, as the spec cannot."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(pinned, secret_name(pinned.name, pinned.uid)),
        "type": "Opaque",
        "immutable": True,
        "data": {file: base64.b64encode(value.encode()).decode() for file, value in sorted(values.items())},
    }
