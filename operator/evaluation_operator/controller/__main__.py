"""`python -m evaluation_operator.controller`: the operator."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys

import uvloop

from evaluation_operator.cluster.connection import connect
from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.controller import logs, settings
from evaluation_operator.controller.app import MissingKinds, Operator, take_signals
from evaluation_operator.controller.metrics import Metrics

log = logging.getLogger(__name__)

#: Objects made, less those freed, between looks for garbage in cycles (Python's own: 700). Each watch event and answer
#: is parsed into hundreds of dictionaries that are freed without its help.
GARBAGE_THRESHOLD = 20_000


async def run(chosen: settings.OperatorSettings, identity: settings.Identity) -> int:
    """Runs one replica against the cluster of the surroundings; returns the exit code."""
    connection = await connect()
    metrics = Metrics()
    cluster = RealCluster(connection, hook=metrics.requests.observe)
    try:
        operator = Operator(cluster, chosen, identity, metrics=metrics, connection=connection)
        take_signals(operator.stop)
        return await operator.run()
    finally:
        await cluster.close()


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        chosen, identity = settings.load()
    except settings.SettingsError as error:
        print(f"evaluation-operator: {error}", file=sys.stderr)
        return 2
    logs.configure(identity.log_level)
    # What the imports made stays for good: walking over it again and again is a fifth of the CPU of a burst.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        # Less CPU for each job than with asyncio's own loop, and no buffers of 256 KiB for each encrypted watch.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run(chosen, identity))
    except (MissingKinds, ClusterError) as error:
        log.critical("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
