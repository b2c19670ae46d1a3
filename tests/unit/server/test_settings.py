from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation_operator.server.settings import PATH_VARIABLE, SettingsError, load


def test_without_anything_the_defaults_hold() -> None:
    settings = load({})
    assert settings.listen.port == 7331
    assert settings.serves("any")


def test_the_file_is_read_and_the_environment_stands_over_it(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"store": {"url": "s3://bucket", "maxUploads": 7}, "namespaces": ["a"]}))
    settings = load(
        {PATH_VARIABLE: str(path), "EVALUATION_API__store__url": "file:///x", "EVALUATION_API__listen__port": "1"}
    )
    assert (settings.store.url, settings.store.max_uploads, settings.listen.port) == ("file:///x", 7, 1)
    assert settings.serves("a")
    assert not settings.serves("b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "one JSON object"),
        ('{"store": {"ulr": "x"}}', "store.ulr"),
        ('{"reports": {"rate": 0}}', "reports.rate"),
        ('{"reports": {"rate": NaN}}', "reports.rate"),
        ('{"listen": {"tlsCertFile": "/x"}}', "tlsKeyFile"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match=said):
        load({PATH_VARIABLE: str(path)})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no-such-file"):
        load({PATH_VARIABLE: str(tmp_path / "no-such-file")})


def test_a_variable_below_a_value_is_an_error() -> None:
    with pytest.raises(SettingsError, match="logLevel"):
        load({"EVALUATION_API__logLevel": "info", "EVALUATION_API__logLevel__x": "1"})
