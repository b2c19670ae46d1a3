"""Everything that the operator builds is accepted by a real API server, in a namespace of the restricted standard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kubectl import CommandError, Kubectl, fresh_namespace
from tools.install import ROOT

pytestmark = pytest.mark.apiserver
GOLDEN = ROOT / "tests" / "unit" / "manifests" / "golden"
#: An unknown field is an error, and so is a pod that the standard would not admit (a warning on the Kubernetes Job).
STRICT = ("create", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")


@pytest.fixture(scope="module")
def restricted(cluster_config: Path) -> Iterator[Kubectl]:
    with fresh_namespace(cluster_config, "manifests", {"pod-security.kubernetes.io/warn": "restricted"}) as bound:
        yield bound


def documents(name: str, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text()))
    for one in found:
        one["metadata"]["namespace"] = namespace
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_a_real_server_accepts_it(restricted: Kubectl, name: str) -> None:
    for one in documents(name, restricted.namespace):
        restricted(*STRICT, stdin=yaml.safe_dump(one))


def test_the_check_would_see_a_pod_that_is_not_restricted(restricted: Kubectl) -> None:
    (job,) = documents("plain", restricted.namespace)
    job["spec"]["template"]["spec"]["containers"][0]["securityContext"].pop("capabilities")
    with pytest.raises(CommandError, match="restricted"):
        restricted(*STRICT, stdin=yaml.safe_dump(job))


def test_the_check_would_see_an_unknown_field(restricted: Kubectl) -> None:
    (job,) = documents("plain", restricted.namespace)
    job["spec"]["template"]["spec"]["unheard"] = True
    with pytest.raises(CommandError, match="unheard"):
        restricted(*STRICT, stdin=yaml.safe_dump(job))
