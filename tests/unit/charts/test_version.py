"""Code, chart and images are released under one version."""

import yaml

from evaluation_operator import __version__
from evaluation_operator.server.rest.openapi.document import document
from tools.install import CHART


def test_chart_and_api_say_the_version_of_the_code() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == document()["info"]["version"] == __version__
