"""These tests start and stop whole clusters: only for those who ask for them by the marker."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "cluster_lifecycle" in str(config.getoption("markexpr")):
        return
    skip = pytest.mark.skip(reason="starts and stops clusters: run `pytest -m cluster_lifecycle tests/cluster`")
    for item in items:
        if item.get_closest_marker("cluster_lifecycle"):
            item.add_marker(skip)
