"""A real cluster for tests, reached through the port."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import yaml

from evaluation_operator.cluster.errors import AlreadyExists, NotFound
from evaluation_operator.cluster.port import EVALUATION_JOBS, NAMESPACES, Resource
from evaluation_operator.cluster.real import RealCluster
from tools.install import ROOT

DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)


@contextlib.asynccontextmanager
async def real_cluster(kubeconfig: Path) -> AsyncIterator[tuple[RealCluster, str]]:
    """The real cluster with our kinds installed, and a namespace that is deleted afterwards."""
    cluster = await RealCluster.open(str(kubeconfig))
    try:
        await install_kinds(cluster)
        namespace = f"test-{secrets.token_hex(4)}"
        await cluster.create(NAMESPACES, "", {"metadata": {"name": namespace}})
        try:
            yield cluster, namespace
        finally:
            with contextlib.suppress(NotFound):
                await cluster.delete(NAMESPACES, "", namespace)
    finally:
        await cluster.close()


async def install_kinds(cluster: RealCluster) -> None:
    """Makes the server serve our kinds, if it does not."""
    if EVALUATION_JOBS.plural in await cluster.served(EVALUATION_JOBS.api_version):
        return
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        with contextlib.suppress(AlreadyExists):
            await cluster.create(DEFINITIONS, "", yaml.safe_load(path.read_text()))
    for _ in range(100):
        try:
            if EVALUATION_JOBS.plural in await cluster.served(EVALUATION_JOBS.api_version):
                await cluster.list(EVALUATION_JOBS, limit=1)
                return
        except NotFound:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the server does not serve the kinds after 10 s")
