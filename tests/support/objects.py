"""Small valid objects for tests."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

TARGET: Body = {
    "type": "model",
    "model": {
        "api_endpoint": {"url": "http://endpoint:8000/v1/chat/completions", "model_id": "demo/model"},
    },
}
CONFIG: Body = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}


def evaluation_job(name: str, namespace: str = "", **spec: Any) -> Body:
    """An EvaluationJob with target and config inline; keyword arguments are further keys of the spec."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": metadata,
        "spec": {"target": TARGET, "config": CONFIG, **spec},
    }


def evaluation_target(name: str, **spec: Any) -> Body:
    """An EvaluationTarget."""
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationTarget",
        "metadata": {"name": name},
        "spec": {**TARGET, **spec},
    }


def evaluation_config(name: str, **spec: Any) -> Body:
    """An EvaluationConfig."""
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationConfig",
        "metadata": {"name": name},
        "spec": {**CONFIG, **spec},
    }
