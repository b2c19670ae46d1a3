"""From files to a pinned job."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation_operator.cli import manifests
from evaluation_operator.cli.manifests import Manifests, pin, read
from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.runner.errors import RunError

API = "evaluation-operator.dev/v1alpha1"
URL = "http://nim:8000/v1/chat/completions"
ENDPOINT: dict[str, Any] = {"url": URL, "model_id": "m"}
TARGET: dict[str, Any] = {"type": "model", "model": {"api_endpoint": ENDPOINT}}
CONFIG: dict[str, Any] = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}


def document(kind: str, name: str, spec: dict[str, Any], namespace: str | None = None) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}


def job(target: Any = None, config: Any = None, name: str = "job", namespace: str | None = None) -> dict[str, Any]:
    return document("EvaluationJob", name, {"target": target or TARGET, "config": config or CONFIG}, namespace)


def load(tmp_path: Path, *documents: Any) -> Manifests:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return read([str(file)])


def pinned(found: Manifests, **options: Any) -> tuple[PinnedJob, dict[str, str]]:
    return pin(found, **({"environment": {}} | options))


def refused(found: Manifests, **options: Any) -> str:
    with pytest.raises(RunError) as caught:
        pinned(found, **options)
    assert caught.value.reason == outcomes.INVALID_SPEC
    return caught.value.message


def test_an_inline_job_drops_the_names(tmp_path: Path) -> None:
    named = {"name": "my-target", "namespace": "org"}
    result, secrets = pinned(load(tmp_path, job(TARGET | named, CONFIG | named)))
    assert result.target.to_json() == TARGET | {"model": {"api_endpoint": ENDPOINT | {"format": "nim"}}}
    assert result.config.to_json() == CONFIG
    assert secrets == {}


def test_references_are_found_in_the_files(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        document("EvaluationTarget", "t", TARGET | {"description": "d"}),
        None,
        document("EvaluationConfig", "c", CONFIG),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
        job({"name": "t", "type": "model"}, {"name": "c", "params": {}}),
    )
    result, _ = pinned(found)
    assert result.config.to_json() == CONFIG
    assert result.target.model is not None


@pytest.mark.parametrize(
    ("target", "needle"),
    [
        ({"name": "absent"}, "EvaluationTarget default/absent"),
        ({"name": "t", "type": "rows"}, "its type is model"),
        ({"name": "far", "namespace": "other"}, "allowedNamespaces"),
    ],
)
def test_references_that_do_not_hold(target: dict[str, Any], needle: str, tmp_path: Path) -> None:
    found = load(
        tmp_path,
        document("EvaluationTarget", "t", TARGET),
        document("EvaluationTarget", "far", TARGET | {"allowedNamespaces": ["team"]}, "other"),
        job(target),
    )
    assert needle in refused(found)


def test_a_reference_to_a_namespace_that_allows_it(tmp_path: Path) -> None:
    far = document("EvaluationTarget", "far", TARGET | {"allowedNamespaces": ["team"]}, "other")
    found = load(tmp_path, far, job({"name": "far", "namespace": "other"}, namespace="team"))
    assert pinned(found)[0].namespace == "team"


def test_the_job_is_chosen_by_name(tmp_path: Path) -> None:
    found = load(tmp_path, job(name="a"), job(name="b"))
    assert "--job" in refused(found)
    assert pinned(found, name="b")[0].name == "b"
    assert "a, b" in refused(found, name="c")
    assert "no EvaluationJob" in refused(load(tmp_path, document("EvaluationTarget", "t", TARGET)))


def test_limit_and_endpoint_replace_what_the_file_says(tmp_path: Path) -> None:
    result, _ = pinned(load(tmp_path, job()), limit=2, endpoint="http://127.0.0.1:1/v1/completions")
    assert result.config.params is not None
    assert result.config.params.limit_samples == 2
    assert result.target.model is not None
    assert result.target.model.api_endpoint is not None
    assert result.target.model.api_endpoint.url == "http://127.0.0.1:1/v1/completions"
    assert "--limit" in refused(load(tmp_path, job()), limit=0)
    assert "target.model.api_endpoint.url" in refused(load(tmp_path, job()), endpoint="ftp://x")
    assert "--endpoint" in refused(load(tmp_path, job({"type": "rows", "rows": [{}]})), endpoint=URL)


def with_secret() -> dict[str, Any]:
    endpoint = ENDPOINT | {"api_key_secret": {"name": "keys", "key": "nim"}}
    return job({"type": "model", "model": {"api_endpoint": endpoint}})


def key_of(result: tuple[PinnedJob, dict[str, str]]) -> str:
    """Return the key that the runner would send."""
    job_, secrets = result
    assert job_.target.model is not None
    assert job_.target.model.api_endpoint is not None
    placeholder = job_.target.model.api_endpoint.api_key
    assert placeholder is not None
    return secrets[placeholder.removeprefix("secret:")]


def test_secrets_from_the_environment_the_files_or_the_job_itself(tmp_path: Path) -> None:
    metadata = {"name": "keys"}
    plain = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"nim": "from-file"}}
    coded = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"nim": "Zm9v"}}
    option = {"secret_options": ["keys/nim=MY_KEY"], "environment": {"MY_KEY": "from-env"}}
    assert key_of(pinned(load(tmp_path, with_secret()), **option)) == "from-env"
    assert key_of(pinned(load(tmp_path, plain, with_secret()))) == "from-file"
    assert key_of(pinned(load(tmp_path, coded, with_secret()))) == "foo"
    assert key_of(pinned(load(tmp_path, plain, with_secret()), **option)) == "from-env"
    inline = job({"type": "model", "model": {"api_endpoint": ENDPOINT | {"api_key": "sk-inline"}}})
    result = pinned(load(tmp_path, inline))
    assert key_of(result) == "sk-inline"
    assert "sk-inline" not in result[0].dumps()


def test_missing_secrets_say_what_to_give(tmp_path: Path) -> None:
    found = load(tmp_path, with_secret())
    assert "--secret keys/nim=VARIABLE" in refused(found)
    assert "MY_KEY is not set" in refused(found, secret_options=["keys/nim=MY_KEY"])
    message = refused(found, secret_options=["keys/nim=sk-by-mistake"])
    assert "ENVVAR" in message
    assert "sk-by-mistake" not in message


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("a: [", "not YAML"),
        ("- 1", "not an object"),
        ("{apiVersion: evaluation-operator.dev/v1, kind: EvaluationJob}", "use evaluation-operator.dev/v1alpha1"),
        ("{apiVersion: evaluation-operator.dev/v1alpha1, kind: Evaluation, metadata: {name: x}}", "kind Evaluation"),
        ("{apiVersion: evaluation-operator.dev/v1alpha1, kind: EvaluationJob, metadata: {}}", "metadata.name"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {k: '***'}}", "base64"),
    ],
)
def test_files_that_cannot_be_used(text: str, needle: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(RunError, match=needle) as caught:
        read([str(tmp_path / "f.yaml")])
    assert "f.yaml" in caught.value.message


def test_a_mistyped_key_is_named(tmp_path: Path) -> None:
    config = CONFIG | {"params": {"limt_samples": 10}}
    with pytest.raises(RunError, match=r"spec\.config\.params\.limt_samples"):
        load(tmp_path, job(config=config))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        read([str(tmp_path / "absent")])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="UTF-8"):
        read([str(tmp_path / "binary")])


def test_standard_input_and_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [job()]})
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert pinned(read(["-"]))[0].name == "job"


def test_the_same_file_pins_the_same_job(tmp_path: Path) -> None:
    assert pinned(load(tmp_path, job()))[0].dumps() == pinned(load(tmp_path, job()))[0].dumps()


def test_a_file_that_is_too_large_is_not_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_FILE", 100)
    with pytest.raises(RunError, match="files_url"):
        load(tmp_path, job())
