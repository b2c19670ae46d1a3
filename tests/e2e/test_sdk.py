"""NVIDIA's own SDK, unmodified, in each of its versions that know the v2 API: the checks of `tests/sdk/`."""

import os
import subprocess

import pytest

from tests.e2e.world import World
from tests.support.kubectl import fresh_namespace
from tests.support.port_forward import port_forward
from tests.support.sdk import VERSIONS, environment
from tools.install import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

KEY = "sk-conformance-key"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sdk_works_unchanged(world: World, version: str) -> None:
    python = environment(version)
    endpoints = {
        "SDK_ENDPOINT": world.endpoint(name="fast"),
        "SDK_SLOW_ENDPOINT": world.endpoint("--latency-ms", "500", name="slow"),
        "SDK_KEYED_ENDPOINT": world.endpoint("--api-key", KEY, name="keyed"),
    }
    with (
        fresh_namespace(world.kubectl.config, "e2e-other") as other,
        port_forward(world.system, "service/evaluation-api", 7331) as url,
    ):
        done = subprocess.run(
            [str(python), "-m", "pytest", "-q"],
            cwd=ROOT / "tests" / "sdk",
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
                **endpoints,
                "SDK_API_URL": url,
                "SDK_NAMESPACE": world.namespace,
                "SDK_OTHER_NAMESPACE": other.namespace,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout[-20000:]}\n{done.stderr[-2000:]}"
