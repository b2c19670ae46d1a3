"""The process itself: settings, TLS with certificates that change, and an end that nobody notices."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn
from fastapi import FastAPI

from evaluation_operator.server.serving import Certificate
from tests.support.tls import trusting

SOURCE = Path(__file__).resolve().parents[3] / "operator"


async def run_process(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "evaluation_operator.server",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **environment},
        stderr=asyncio.subprocess.PIPE,
    )


def kubeconfig(folder: Path) -> Path:
    """Names a cluster that does not answer."""
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


@dataclass
class Process:
    """evaluation-api as a process. The cluster that its kubeconfig names does not answer: it is alive, not ready."""

    process: asyncio.subprocess.Process
    port: int

    async def ended(self) -> str:
        """Waits for its end; gives its log."""
        _, said = await self.process.communicate()
        return said.decode()


@asynccontextmanager
async def started(folder: Path, verify: Any = True, **listen: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The process once it answers, and a client of it. `listen` as the environment variables of that section."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await run_process(
        {
            "KUBECONFIG": str(kubeconfig(folder)),
            "EVALUATION_API__store__url": f"file://{folder}/store",
            "EVALUATION_API__listen__host": "127.0.0.1",
            "EVALUATION_API__listen__port": str(port),
            **{f"EVALUATION_API__listen__{key}": value for key, value in listen.items()},
        }
    )
    scheme = "https" if "tlsCertFile" in listen else "http"
    try:
        async with httpx.AsyncClient(base_url=f"{scheme}://127.0.0.1:{port}", verify=verify) as client:
            async with asyncio.timeout(20):
                while True:
                    try:
                        assert (await client.get("/health")).json() == {"status": "healthy"}
                        break
                    except httpx.TransportError:
                        assert process.returncode is None
                        await asyncio.sleep(0.05)
            yield Process(process, port), client
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_settings_that_cannot_be_used_end_the_process_with_a_clear_line(tmp_path: Path) -> None:
    process = await run_process({"EVALUATION_API__store__url": "ftp://nowhere"})
    _, said = await process.communicate()
    assert process.returncode == 2
    (line,) = [json.loads(line) for line in said.splitlines()]
    assert (line["level"], "store.url" in line["message"]) == ("critical", True)


async def test_it_starts_answers_and_ends_on_sigterm(tmp_path: Path) -> None:
    async with started(tmp_path, drainSeconds="0") as (api, client):
        assert (await client.get("/livez")).status_code == 200
        api.process.send_signal(signal.SIGTERM)
        said = await api.ended()
    assert api.process.returncode == 0, said
    assert all(line.startswith("{") and json.loads(line) for line in said.splitlines()), said


async def test_asked_to_end_it_is_not_ready_and_goes_on_serving_for_a_while(tmp_path: Path) -> None:
    async with started(tmp_path, drainSeconds="1") as (api, client):
        api.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1):
            while (await client.get("/readyz")).json() != {"status": "ending"}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with httpx.AsyncClient(base_url=client.base_url) as newcomer:
            assert (await newcomer.get("/health")).status_code == 200
        said = await api.ended()
    assert api.process.returncode == 0, said


async def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    async with started(tmp_path, drainSeconds="60") as (api, client):
        api.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1):
            while (await client.get("/readyz")).json() != {"status": "ending"}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        api.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await api.ended()
    assert api.process.returncode == 0


async def test_a_request_under_way_is_finished(tmp_path: Path) -> None:
    async with started(tmp_path, drainSeconds="0") as (api, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        body = b'{"target": 1}'
        head = (
            "POST /v1/evaluation/live HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:5])
        await writer.drain()
        await asyncio.sleep(0.2)
        api.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        writer.write(body[5:])
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        said = await api.ended()
    assert answer.startswith(b"HTTP/1.1 422"), answer
    assert api.process.returncode == 0, said


@dataclass
class Files:
    """The files of a certificate, as a mounted Secret has them."""

    cert: Path
    key: Path

    def write(self, issued: trustme.LeafCert) -> None:
        issued.private_key_pem.write_to_path(self.key)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    made = Files(tmp_path / "tls.crt", tmp_path / "tls.key")
    made.write(authority.issue_cert("127.0.0.1", common_name="first"))
    return made


async def test_with_a_certificate_only_tls_is_spoken(tmp_path: Path, files: Files, authority: trustme.CA) -> None:
    tls = {"tlsCertFile": str(files.cert), "tlsKeyFile": str(files.key), "drainSeconds": "0"}
    async with started(tmp_path, trusting(authority), **tls) as (api, client):
        assert (await client.get("/livez")).status_code == 200
        async with httpx.AsyncClient() as stranger:
            with pytest.raises(httpx.TransportError):
                await stranger.get(f"http://127.0.0.1:{api.port}/livez")
            with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
                await stranger.get(f"https://127.0.0.1:{api.port}/livez")
        api.process.send_signal(signal.SIGTERM)
        await api.ended()
    assert api.process.returncode == 0


async def test_a_certificate_that_cannot_be_used_ends_the_process_with_a_clear_line(
    tmp_path: Path, files: Files
) -> None:
    files.key.write_text("no key")
    process = await run_process(
        {
            "KUBECONFIG": str(kubeconfig(tmp_path)),
            "EVALUATION_API__store__url": f"file://{tmp_path}/store",
            "EVALUATION_API__listen__tlsCertFile": str(files.cert),
            "EVALUATION_API__listen__tlsKeyFile": str(files.key),
        }
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert "certificate" in json.loads(said.splitlines()[-1])["message"]


@asynccontextmanager
async def speaking_tls(files: Files) -> AsyncIterator[tuple[int, Certificate]]:
    app = FastAPI()
    config = uvicorn.Config(app, log_config=None, ssl_certfile=files.cert, ssl_keyfile=files.key, lifespan="off")
    config.load()
    assert config.ssl is not None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(5):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        try:
            yield int(listener.getsockname()[1]), Certificate(config.ssl, files.cert, files.key)
        finally:
            server.should_exit = True
            await task


async def shown(port: int, authority: trustme.CA) -> bytes:
    """The certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(authority))
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return found


async def test_a_new_certificate_is_shown_without_a_restart(files: Files, authority: trustme.CA) -> None:
    async with speaking_tls(files) as (port, certificate):
        first = await shown(port, authority)
        assert not certificate.look()
        files.write(authority.issue_cert("127.0.0.1", common_name="second"))
        follower = asyncio.create_task(certificate.follow(0.01))
        async with asyncio.timeout(5):
            while await shown(port, authority) == first:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        follower.cancel()


async def test_a_pair_that_does_not_fit_changes_nothing(files: Files, authority: trustme.CA) -> None:
    async with speaking_tls(files) as (port, certificate):
        first = await shown(port, authority)
        other = authority.issue_cert("127.0.0.1")
        files.key.write_bytes(other.private_key_pem.bytes())  # the new certificate is not there yet
        assert not certificate.look()
        assert await shown(port, authority) == first
        files.cert.unlink()
        assert not certificate.look()
        files.write(other)
        assert certificate.look()
        assert await shown(port, authority) != first
