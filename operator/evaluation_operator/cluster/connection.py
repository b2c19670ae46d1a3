"""How to reach a cluster: address, TLS and credentials, as the official client's configuration reads them.

The official client's configuration is used (in-cluster token files that rotate, kubeconfig files with their
exec plug-ins), its request path is not: it costs almost three times the CPU of the aiohttp session below it
(docs/performance.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from evaluation_operator.cluster.connector import Connector
from evaluation_operator.cluster.errors import ClusterError, Unavailable

CONNECT_SECONDS = 5.0
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"

Answered = Callable[[str, str, int, float], None]


class NoCluster(ClusterError):
    """No usable description of a cluster was found."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster's address and the means to open sessions to it."""

    server: str
    _configuration: Any
    _ssl: Any

    def session(
        self,
        *,
        limit: int,
        answered: Answered | None = None,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    ) -> aiohttp.ClientSession:
        """A new session with at most `limit` connections (0: no limit), which authorises each request.

        `answered` is told (HTTP method, path, status, seconds) of each request when its headers are in.
        `middlewares` come around the authorisation.
        """

        async def authorise(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            # Asked anew each time: the service-account token is a file that the kubelet rotates.
            token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
            if token:
                request.headers["Authorization"] = token
            return await handler(request)

        return aiohttp.ClientSession(
            connector=Connector(limit=limit, ssl=self._ssl, ttl_dns_cache=30),
            middlewares=(*middlewares, authorise),
            headers={"User-Agent": "evaluation-operator", "Accept": "application/json"},
            proxy=self._configuration.proxy,
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=CONNECT_SECONDS),
            trace_configs=[_tracing(answered)] if answered else [],
            read_bufsize=2**21,
        )


async def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """The connection that `kubeconfig` describes; without one, that of the pod, of $KUBECONFIG or of
    ~/.kube/config.

    Raises NoCluster with what was tried.
    """
    configuration = Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if path is None and os.environ.get(IN_CLUSTER):
            kubernetes_config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
                path, context, client_configuration=configuration
            )
    except (kubernetes_config.ConfigException, OSError) as error:
        where = path or ("the pod's service account" if os.environ.get(IN_CLUSTER) else "~/.kube/config")
        raise NoCluster(
            f"no cluster to talk to: {where} cannot be used ({error}); set KUBECONFIG to a kubeconfig file"
        ) from error
    try:
        rest = RESTClientObject(configuration)
    except OSError as error:
        raise NoCluster(f"the certificates that {path or 'the pod'} names cannot be read: {error}") from error
    secure = configuration.host.startswith("https")
    return Connection(
        server=configuration.host.rstrip("/"),
        _configuration=configuration,
        _ssl=rest.ssl_context if secure else True,
    )


def _tracing(answered: Answered) -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def start(_: object, context: SimpleNamespace, __: object) -> None:
        context.started = perf_counter()

    async def end(_: object, context: SimpleNamespace, given: aiohttp.TraceRequestEndParams) -> None:
        answered(given.method, given.url.raw_path_qs, given.response.status, perf_counter() - context.started)

    async def failed(_: object, context: SimpleNamespace, given: aiohttp.TraceRequestExceptionParams) -> None:
        answered(given.method, given.url.raw_path_qs, 0, perf_counter() - context.started)

    trace.on_request_start.append(cast(Any, start))
    trace.on_request_end.append(cast(Any, end))
    trace.on_request_exception.append(cast(Any, failed))
    return trace


def unreachable(error: BaseException, request: str) -> Unavailable:
    """The error for a request without an answer."""
    said = str(error) or type(error).__name__
    return Unavailable(f"the Kubernetes API did not answer ({said})", request=request)
