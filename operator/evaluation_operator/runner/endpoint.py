"""The one HTTP client of the runner: every call of every engine to every endpoint goes through here.

aiohttp, and one session for the whole run: it is the cheapest client that Python has, and at 64 requests
under way the client must not be what limits the run.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from evaluation_operator.resources.endpoint import APIEndpoint, InferenceParams, Prompt

from . import prompting
from .backoff import Patience
from .engines.base import EndpointKind, InvalidSpec, Response
from .errors import EndpointError, ErrorKind
from .responses import check, excerpt
from .secrets import Secrets
from .streams import Assembly, Events, StreamError

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a response that are read at most."""
CONNECT_TIMEOUT = 30.0
"""Seconds for a connection; a request's own limit applies as well."""

_SUFFIXES = {
    "/chat/completions": EndpointKind.CHAT,
    "/completions": EndpointKind.COMPLETIONS,
    "/embeddings": EndpointKind.EMBEDDINGS,
}
LARGE = 1024 * 1024
"""Bytes of a request from which it is written in pieces."""
STALE_WITHIN = 1.0
"""Seconds within which a kept connection shows that the server had closed it."""
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""Added to requests to an endpoint that streams; without the option there are no token counts."""
DRAIN = 1.0
"""Seconds that a connection may take to end after the last event."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_READ_HEADERS = ("retry-after", "content-type", "location")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of each call. ``request_timeout`` in seconds for one attempt; ``max_retries`` as in
    ``Patience``.
    """

    request_timeout: float
    max_retries: int

    def overridden(self, request_timeout: float | None, max_retries: int | None) -> CallLimits:
        """Return these limits with those that are given put in their place."""
        return CallLimits(
            self.request_timeout if request_timeout is None else request_timeout,
            self.max_retries if max_retries is None else max_retries,
        )


def kind_of(url: str) -> EndpointKind:
    """Tell chat, completions and embeddings apart by the end of the URL's path. Raises ``InvalidSpec``."""
    path = URL(url).path.rstrip("/")
    for suffix, kind in _SUFFIXES.items():
        if path.endswith(suffix):
            return kind
    raise InvalidSpec(
        f"the endpoint URL {display(url)} must be the full URL of the call, ending in "
        f"{', '.join(_SUFFIXES)}; for example http://nim:8000/v1/chat/completions"
    )


def display(url: str) -> str:
    """Return the URL without what may be secret in it (user information, query, fragment)."""
    try:
        return str(URL(url).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return "(not a URL)"


class HttpClient:
    """Opens channels to endpoints; they share connections. Use as an async context manager."""

    def __init__(
        self,
        secrets: Secrets,
        limits: CallLimits,
        *,
        max_body: int = MAX_BODY,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.secrets = secrets
        self.limits = limits
        self.max_body = max_body
        self.uniform = uniform
        self._session: aiohttp.ClientSession | None = None
        self._channels: dict[str, Channel] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # No limit: the workers are the limit, and a second one here would only add a queue.
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30, keepalive_timeout=30),
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": "evaluation-operator",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the HTTP client is not open")
        return self._session

    def open(
        self,
        endpoint: APIEndpoint,
        *,
        prompt: Prompt | None = None,
        sampling: Mapping[str, Any] | None = None,
        request_timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Channel:
        """Return the channel to an endpoint, always the same one for the same arguments. Raises
        ``InvalidSpec``.

        ``prompt``: that of the model; its limits go before the job's, and those given here before both.
        ``sampling``: filled into requests that do not say otherwise; by default that of the prompt.
        """
        own = (prompt.inference_params if prompt else None) or InferenceParams()
        limits = self.limits.overridden(own.request_timeout, own.max_retries)
        limits = limits.overridden(request_timeout, max_retries)
        given = prompting.sampling(None, prompt) if sampling is None else sampling
        identity = repr((endpoint.to_json(), prompt.to_json() if prompt else None, given, limits))
        channel = self._channels.get(identity)
        if channel is None:
            channel = self._channels[identity] = Channel(self, endpoint, limits, prompt, given)
        return channel


class Channel:
    """Calls to one endpoint with one key and one set of limits. Implements the ``Endpoint`` of the engine
    seam.
    """

    def __init__(
        self,
        client: HttpClient,
        endpoint: APIEndpoint,
        limits: CallLimits,
        prompt: Prompt | None,
        sampling: Mapping[str, Any],
    ) -> None:
        if endpoint.format == "lama_stack":
            raise InvalidSpec(
                f"the endpoint {display(endpoint.url)} has format lama_stack; the runner speaks nim and openai "
                "(a Llama Stack server offers the openai dialect under /v1/openai/v1)"
            )
        self._kind = kind_of(endpoint.url)
        self._client = client
        self._limits = limits
        self._model_id = endpoint.model_id
        self._prompting = prompting.Prompting.of(endpoint, prompt, sampling, self._kind)
        self._stream = bool(endpoint.stream) and self._kind is not EndpointKind.EMBEDDINGS
        self._url = URL(endpoint.url)
        self.where = f"POST {display(endpoint.url)}"
        self._timeout = aiohttp.ClientTimeout(
            total=limits.request_timeout, sock_connect=min(CONNECT_TIMEOUT, limits.request_timeout)
        )
        self._headers: dict[str, str] = {}
        if endpoint.api_key is not None:
            key = client.secrets.resolve(endpoint.api_key)
            if not key.isascii() or not key.isprintable():
                raise InvalidSpec(
                    f"the key for {display(endpoint.url)} has characters that an HTTP header cannot carry "
                    "(a line break, a control character or a letter outside ASCII); correct the Secret"
                )
            self._headers["Authorization"] = f"Bearer {key}"
        self._not_before = 0.0
        self._reached = False
        # Looked up here and not by aiohttp's trust_env, which would read the environment at every request.
        self._proxy = None if proxy_bypass(self._url.host or "") else getproxies().get(self._url.scheme)

    @property
    def kind(self) -> EndpointKind:
        return self._kind

    @property
    def model_id(self) -> str:
        return self._model_id

    async def call(self, body: Mapping[str, Any]) -> Response:
        """Send one request, again as long as ``Patience`` allows. Raises ``EndpointError``."""
        request = self._prompting.request(body)
        if self._stream:
            request |= STREAMED
        payload = _ENCODER.encode(request).encode()
        patience = Patience(self._limits.max_retries, self._limits.request_timeout, self._client.uniform)
        attempts = 0
        stale = False
        while True:
            await self._wait_out_rate_limit()
            attempts += 1
            started = perf_counter()
            try:
                status, headers, raw, ttft = await self._send(payload)
                parsed, usage = check(
                    self._kind,
                    status,
                    headers,
                    self._client.secrets.redact_bytes(raw),
                    where=self.where,
                    now=datetime.now(UTC),
                )
            except EndpointError as error:
                if self._may_be_stale(error, perf_counter() - started) and not stale:
                    stale = True
                    continue
                delay = patience.next_delay(error)
                if delay is None:
                    raise self._final(error, attempts) from error.__cause__
                if error.retry_after is not None:
                    # What one request is told holds for all: spares the others their own refusal.
                    self._not_before = max(self._not_before, perf_counter() + delay)
            else:
                self._reached = True
                latency = perf_counter() - started
                return Response(parsed, usage, latency, attempts, ttft, self._prompting.separate(parsed))
            await asyncio.sleep(delay)

    def _may_be_stale(self, error: EndpointError, seconds: float) -> bool:
        """Say whether a cut looks like a kept connection that the server had closed while nobody used it.

        Servers do that whenever they like, and it says nothing of the endpoint: such a request is sent again once
        without using up a retry. (aiohttp's tracing would tell for certain, for a tenth of the cost of every
        request.)
        """
        disconnected = isinstance(error.__cause__, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        return disconnected and self._reached and error.kind is ErrorKind.CUT and seconds < STALE_WITHIN

    async def _wait_out_rate_limit(self) -> None:
        # A loop, because another request may be told to wait longer while this one sleeps.
        while (pause := self._not_before - perf_counter()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(pause)

    def _final(self, error: EndpointError, attempts: int) -> EndpointError:
        message = self._client.secrets.redact(error.message)
        if attempts > 1:
            message += f" (sent {attempts} times)"
        return EndpointError(error.kind, message, status=error.status, retry_after=error.retry_after, attempts=attempts)

    async def _send(self, payload: bytes) -> tuple[int, dict[str, str], bytes, float | None]:
        """Send once. Returns the status, the few headers that matter, the whole body, and for a streamed one the
        seconds to its first token.
        """
        started = perf_counter()
        try:
            async with self._client.session.post(
                self._url,
                # A long text is written piece by piece: aiohttp would hold up all other requests with it.
                data=payload if len(payload) < LARGE else io.BytesIO(payload),
                headers=self._headers,
                timeout=self._timeout,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                ttft = None
                if self._stream and response.status == 200 and response.content_type == "text/event-stream":
                    raw, begun = await self._read_stream(response)
                    ttft = None if begun is None else begun - started
                else:
                    raw = await self._read(response)
                found = response.headers
                return response.status, {n: found[n] for n in _READ_HEADERS if n in found}, raw, ttft
        except TimeoutError as error:
            raise EndpointError(
                ErrorKind.TIMEOUT,
                f"{self.where}: no complete answer within {self._limits.request_timeout:g} s (params.request_timeout)",
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError, ssl.SSLError) as error:
            raise EndpointError(ErrorKind.CONNECT, f"{self.where}: no connection: {error}") from error
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, OSError) as error:
            raise EndpointError(
                ErrorKind.CUT, f"{self.where}: the connection was cut: {error or type(error).__name__}"
            ) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise EndpointError(
                ErrorKind.MALFORMED, f"{self.where}: what answers there does not speak HTTP properly: {error}"
            ) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._client.max_body
        if response.content_length is not None and response.content_length > limit:
            response.close()
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > limit:
                # Closing instead of releasing: the rest must not be read into the next request.
                response.close()
                raise self._too_large()
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _read_stream(self, response: aiohttp.ClientResponse) -> tuple[bytes, float | None]:
        """Return the streamed answer as the body of an unstreamed one, and when its first token came."""
        events, assembly = Events(), Assembly(self._kind)
        begun: float | None = None
        size = 0
        while not assembly.done and (chunk := await response.content.readany()):
            size += len(chunk)
            if size > self._client.max_body:
                response.close()
                raise self._too_large()
            for data in events.feed(chunk):
                try:
                    error = assembly.add(data)
                except StreamError as problem:
                    response.close()
                    found = excerpt(self._client.secrets.redact_bytes(problem.event))
                    raise EndpointError(ErrorKind.MALFORMED, f"{self.where}: {problem}: {found}") from problem
                if error is not None:
                    response.close()
                    return _ENCODER.encode(error).encode(), None
                if begun is None and assembly.begun:
                    begun = perf_counter()
        if not assembly.complete:
            raise EndpointError(
                ErrorKind.CUT, f"{self.where}: the stream ended before the answer did (no [DONE] and no finish_reason)"
            )
        await self._drain(response)
        return _ENCODER.encode(assembly.body()).encode(), begun

    async def _drain(self, response: aiohttp.ClientResponse) -> None:
        """Read the end of a stream, so that its connection can be used again; one that does not end is closed."""
        try:
            async with asyncio.timeout(DRAIN):
                if await response.content.readany():
                    response.close()
        except TimeoutError:
            response.close()

    def _too_large(self) -> EndpointError:
        return EndpointError(
            ErrorKind.TOO_LARGE, f"{self.where}: the answer is larger than {self._client.max_body} bytes"
        )
