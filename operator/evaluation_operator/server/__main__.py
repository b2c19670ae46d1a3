"""`python -m evaluation_operator.server`: evaluation-api as a process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import uvicorn
import uvloop

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.http_protocol import BoundedHttpProtocol
from evaluation_operator.server.logs import configure
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.serving import Certificate, Server
from evaluation_operator.server.settings import Settings, SettingsError, load
from evaluation_operator.server.store import ArtifactStore, StoreUrlError

_log = logging.getLogger("evaluation_operator.server")

EXIT_CONFIGURATION = 2


def main() -> int:
    """Serves until SIGTERM or SIGINT. Returns 2 when the settings cannot be used, 1 when the server could not start."""
    configure("info")
    try:
        settings = load(os.environ)
        configure(settings.log_level)
        store = ArtifactStore.open(
            settings.store.url,
            options=settings.store.options,
            allow_http=settings.store.allow_http,
            min_free_bytes=settings.store.min_free_bytes,
            answer_seconds=settings.store.answer_seconds,
        )
    except (SettingsError, StoreUrlError) as error:
        _log.critical(str(error))
        return EXIT_CONFIGURATION
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_serve(settings, store))
        except ClusterError as error:
            _log.critical(str(error))
            return EXIT_CONFIGURATION


async def _serve(settings: Settings, store: ArtifactStore) -> int:
    listen = settings.listen
    metrics = Metrics()
    cluster = await RealCluster.open(hook=metrics.kubernetes.observe)
    try:
        app = create_app(Dependencies(settings, cluster, store, metrics))
        config = uvicorn.Config(
            app,
            host=listen.host,
            port=listen.port,
            http=BoundedHttpProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=listen.max_connections,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(listen.shutdown_seconds),
            ssl_certfile=listen.tls_cert_file,
            ssl_keyfile=listen.tls_key_file,
        )
        try:
            config.load()
        except OSError as error:
            _log.critical("the certificate cannot be used", extra={"error": str(error)})
            return EXIT_CONFIGURATION
        server = Server(config, ending=app.state.readiness.end, drain_seconds=listen.drain_seconds)
        following = None
        if config.ssl is not None and listen.tls_cert_file is not None and listen.tls_key_file is not None:
            certificate = Certificate(config.ssl, listen.tls_cert_file, listen.tls_key_file)
            following = asyncio.create_task(certificate.follow(), name="the certificate")
        # uvicorn raises the signal that ended it once more when it is done; the end that was asked for is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        await server.serve()
        if following is not None:
            following.cancel()
        return 0 if server.started else 1
    finally:
        await cluster.close()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written and closed. The interpreter's own end is left out: the store's library keeps threads that
    # may touch it while it is taken down, and abort the process (PyO3/pyo3-async-runtimes issue 40; 2 of 32 measured).
    os._exit(code)
