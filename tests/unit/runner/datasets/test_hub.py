"""Rows on a hub: a small server that speaks the hub's read calls, on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from huggingface_hub import constants

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.target import Dataset
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import Rows
from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.errors import RunError
from tests.support.hub import COMMIT, ROWS, Hub
from tests.unit.runner.datasets.support import WHERE, context
from tests.unit.runner.support import serve


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    found = Hub()
    async with serve(("*", "/{path:.*}", found.handle)) as base:
        found.url = base
        yield found


async def read(hub: Hub, folder: Path, path: str = "team/set/data/rows.jsonl", **more: Any) -> Rows:
    dataset = Dataset(files_url=f"hf://datasets/{path}", hf_endpoint=hub.url, split=more.pop("split", None))
    found = context(folder, hf_token=more.pop("token", None), **more)
    return await asyncio.to_thread(load, dataset, context=found, where=WHERE, pause=lambda _: None)


async def refused(hub: Hub, folder: Path, path: str = "team/set/data/rows.jsonl", **more: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        await read(hub, folder, path, **more)
    assert path in str(caught.value)
    return str(caught.value)


async def unavailable(hub: Hub, folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        await read(hub, folder)
    assert caught.value.reason == outcomes.DATASET_UNAVAILABLE
    return caught.value.message


async def test_a_file_is_read_at_the_commit_that_its_branch_is_at(hub: Hub, tmp_path: Path) -> None:
    assert list(await read(hub, tmp_path)) == [{"n": 1}, {"n": 2}]
    assert [(method, path) for method, path, _ in hub.calls] == [
        ("HEAD", "/datasets/team/set/resolve/main/data/rows.jsonl"),
        ("GET", f"/datasets/team/set/resolve/{COMMIT}/data/rows.jsonl"),
    ]
    (note,) = (tmp_path / "output" / "datasets").iterdir()
    assert json.loads(note.read_text())["files"][0]["revision"] == COMMIT


async def test_the_token_goes_to_the_hub_and_no_other_one_does(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_machine")
    await read(hub, tmp_path / "a")
    assert {authorization for _, _, authorization in hub.calls} == {None}
    hub.calls.clear()
    await read(hub, tmp_path / "b", token="hf_given")
    assert {authorization for _, _, authorization in hub.calls} == {"Bearer hf_given"}
    hub.calls.clear()
    await read(hub, tmp_path / "c", environment={"HF_TOKEN": "hf_environment"})
    assert {authorization for _, _, authorization in hub.calls} == {"Bearer hf_environment"}


async def test_a_token_that_the_hub_does_not_take(hub: Hub, tmp_path: Path) -> None:
    hub.token = "hf_right"
    assert len(await read(hub, tmp_path / "a", token="hf_right")) == 2
    said = await refused(hub, tmp_path / "b", token="hf_wrong")
    assert "refuses access (401); the token was sent" in said
    assert "hf_wrong" not in said
    assert "give a token as params.extra.hf_token_secret" in await refused(hub, tmp_path / "c")


async def test_the_token_does_not_follow_to_another_host(hub: Hub, tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def store(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=ROWS)

    async with serve(("*", "/{path:.*}", store)) as other:

        async def elsewhere(request: web.Request, number: int) -> web.Response | None:
            headers = {"Location": f"{other}/blob", "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(ROWS))}
            return web.Response(status=302, headers=headers)

        hub.fault = elsewhere
        assert len(await read(hub, tmp_path, token="hf_given")) == 2
    assert seen == [None]


async def test_a_folder_and_a_split(hub: Hub, tmp_path: Path) -> None:
    hub.files = {f"data/{name}.jsonl": ROWS for name in ("train", "test-00000-of-2", "test-00001-of-2")}
    assert len(await read(hub, tmp_path, "team/set/data", split="test")) == 4
    assert "train.jsonl" in await refused(hub, tmp_path, "team/set/data", split="dev")


async def test_a_pod_that_keeps_libraries_offline_reads_what_the_job_names(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert len(await read(hub, tmp_path)) == 2
    assert constants.HF_HUB_OFFLINE is True


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("team/set/data/none.jsonl", "no such file in the dataset"),
        ("team/other/data/rows.jsonl", "there is no dataset team/other"),
        ("team/set@v9/data/rows.jsonl", "there is no revision v9"),
        ("team/set/data/..", "is a folder with no file|no file in it|there is no such|is a folder with"),
    ],
)
async def test_what_is_not_there_is_named(path: str, said: str, hub: Hub, tmp_path: Path) -> None:
    hub.files["data/more.jsonl"] = ROWS
    message = await refused(hub, tmp_path, path)
    assert any(part in message for part in said.split("|"))


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(401, "", "hf_token_secret"), (403, "GatedRepo", "the dataset is gated"), (403, "", "refuses access")],
)
async def test_a_refusal_says_which_token_to_give(status: int, code: str, said: str, hub: Hub, tmp_path: Path) -> None:
    async def refuse(request: web.Request, number: int) -> web.Response:
        return web.Response(status=status, headers={"X-Error-Code": code} if code else {})

    hub.fault = refuse
    assert said in await refused(hub, tmp_path)


async def test_a_file_of_ten_gigabytes_is_refused_unread(hub: Hub, tmp_path: Path) -> None:
    async def claim(request: web.Request, number: int) -> web.Response | None:
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(10 * 1024**3)}
        return web.Response(headers=headers) if request.method == "HEAD" else None

    hub.fault = claim
    assert "larger than 2 GiB" in await refused(hub, tmp_path)
    assert [method for method, _, _ in hub.calls] == ["HEAD"]


@pytest.mark.parametrize("body", [ROWS[:-3], ROWS * 2])
async def test_other_bytes_than_announced_are_no_dataset(body: bytes, hub: Hub, tmp_path: Path) -> None:
    async def lie(request: web.Request, number: int) -> web.Response:
        return web.Response(body=body, headers={"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(ROWS))})

    hub.fault = lie
    assert "bytes came, and the hub announces 18" in await unavailable(hub, tmp_path)


async def test_a_hub_that_comes_back_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    async def at_first(request: web.Request, number: int) -> web.Response | None:
        return web.Response(status=503) if number < 3 else None

    hub.fault = at_first
    assert len(await read(hub, tmp_path)) == 2


async def test_a_connection_cut_in_the_middle_is_read_again(hub: Hub, tmp_path: Path) -> None:
    async def cut(request: web.Request, number: int) -> web.StreamResponse | None:
        if request.method == "HEAD" or number > 2:
            return None
        response = web.StreamResponse(headers={"Content-Length": str(len(ROWS))})
        await response.prepare(request)
        await response.write(ROWS[:9])
        assert request.transport is not None
        request.transport.abort()
        return response

    hub.fault = cut
    assert list(await read(hub, tmp_path)) == [{"n": 1}, {"n": 2}]


async def test_a_hub_that_stays_away_is_unavailable(tmp_path: Path) -> None:
    message = await unavailable(Hub(url="http://127.0.0.1:9"), tmp_path)
    assert "http://127.0.0.1:9" in message
    assert "check hf_endpoint" in message


async def test_a_hub_that_always_fails_is_unavailable(hub: Hub, tmp_path: Path) -> None:
    async def fail(request: web.Request, number: int) -> web.Response:
        return web.Response(status=500)

    hub.fault = fail
    assert "the hub answered 500" in await unavailable(hub, tmp_path)
    assert len(hub.calls) == 3
