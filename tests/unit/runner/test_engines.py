"""The registry, and the parts of the seam that have behaviour."""

import importlib
import json
from pathlib import Path

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.runner.engines import registry
from evaluation_operator.runner.engines.base import InvalidSpec, Response, Usage
from evaluation_operator.runner.errors import RunError
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import ToyEngine


@pytest.fixture
def toy_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    info = tmp_path / "toy_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return info / "entry_points.txt"


def entry(file: Path, line: str) -> None:
    file.write_text(f"[{registry.ENTRY_POINT_GROUP}]\n{line}\n")


def test_the_types_of_the_api_page_are_known() -> None:
    known = registry.config_types()
    assert {"bfclv3", "bfclv3_ast", "bfclv3_ast_prompting", "bfclv2", "bfclv2_ast", "bfclv2_ast_prompting"} <= set(
        known
    )


def test_another_distribution_adds_an_engine(toy_distribution: Path) -> None:
    entry(toy_distribution, "toy = tests.unit.runner.support:ToyEngine")
    assert isinstance(registry.load("toy"), ToyEngine)


def test_another_distribution_cannot_replace_a_built_in_engine(toy_distribution: Path) -> None:
    entry(toy_distribution, "bfclv3 = tests.unit.runner.support:ToyEngine")
    assert registry.config_types()["bfclv3"] == registry.BUILT_IN["bfclv3"]


def test_an_image_adds_engines_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.VARIABLE, "toy=tests.unit.runner.support:ToyEngine  bfclv3=tests.unit.runner.support:X")
    assert isinstance(registry.load("toy"), ToyEngine)
    assert registry.config_types()["bfclv3"] == registry.BUILT_IN["bfclv3"]


@pytest.mark.parametrize("text", ["toy", "toy=module", "=module:Engine", "toy=:Engine", "toy=module:"])
def test_a_variable_that_cannot_be_read_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.VARIABLE, text)
    with pytest.raises(RunError, match="type=module:attribute"):
        registry.config_types()


@pytest.mark.parametrize("config_type", ["nope", "", None])
def test_an_unknown_type_names_the_known_ones(config_type: str | None) -> None:
    with pytest.raises(RunError, match="bfclv3_ast") as caught:
        registry.load(config_type)
    assert caught.value.reason == outcomes.INVALID_SPEC


@pytest.mark.parametrize("factory", ["no_such_module:Engine", "tests.unit.runner.support:Nothing"])
def test_an_engine_that_cannot_be_loaded_says_so(factory: str, toy_distribution: Path) -> None:
    entry(toy_distribution, f"toy = {factory}")
    with pytest.raises(RunError, match="cannot be loaded") as caught:
        registry.load("toy")
    assert caught.value.reason == outcomes.INVALID_SPEC


def test_what_is_no_engine_is_refused(toy_distribution: Path) -> None:
    entry(toy_distribution, "toy = builtins:dict")
    with pytest.raises(TypeError, match="not a factory of an Engine"):
        registry.load("toy")


def test_a_response_gives_text_and_calls() -> None:
    completion = Response({"choices": [{"text": "hi"}]}, Usage(), 0.1, 1)
    assert completion.text == "hi"
    silent = Response({"choices": [{"message": {"content": None, "tool_calls": None}}]}, Usage(), 0.1, 1)
    assert (silent.text, silent.tool_calls) == ("", [])
    assert Usage(1, 2) + Usage(10, 20) == Usage(11, 22)


class TestSecrets:
    def test_a_placeholder_is_read_once_and_stripped(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("  sk-1234567\n")
        secrets = Secrets(tmp_path)
        assert secrets.resolve("secret:key") == "sk-1234567"
        (tmp_path / "key").unlink()
        assert secrets.resolve("secret:key") == "sk-1234567"
        assert secrets.redact("the key sk-1234567!") == "the key [secret]!"
        assert secrets.redact_bytes(b"sk-1234567") == b"[secret]"

    def test_a_key_is_struck_out_of_json_however_it_is_escaped_there(self) -> None:
        secrets = Secrets(values={"key": 'sk/12"34\\567'})
        for text in (b'{"a": "sk/12\\"34\\\\567"}', b'{"a": "sk\\/12\\"34\\\\567"}'):
            assert json.loads(secrets.redact_bytes(text)) == {"a": "[secret]"}

    def test_other_text_is_returned_as_it_is(self) -> None:
        assert Secrets().resolve("sk-plain") == "sk-plain"

    @pytest.mark.parametrize("name", ["", ".", "..", "../outside", "a/b", "absent"])
    def test_nothing_outside_the_directory_is_read(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "outside").write_text("x")
        (tmp_path / "keys").mkdir()
        with pytest.raises(InvalidSpec):
            Secrets(tmp_path / "keys").resolve(f"secret:{name}")

    @pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
    def test_content_that_is_no_key_is_refused(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(InvalidSpec, match="secret file key"):
            Secrets(tmp_path).resolve("secret:key")
