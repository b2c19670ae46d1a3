"""A port of this machine's loopback that leads to a Service in the cluster, as `kubectl port-forward` makes it."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.kubectl import Kubectl
from tools.install import tool

START_SECONDS = 20


@contextmanager
def port_forward(kubectl: Kubectl, what: str, port: int) -> Iterator[str]:
    """Yield the base URL under which ``what`` (``service/name``) answers while the context lasts."""
    words = [
        *(tool("kubectl"), f"--kubeconfig={kubectl.config}", f"--namespace={kubectl.namespace}"),
        *("port-forward", "--address=127.0.0.1", what, f":{port}"),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            watchdog.cancel()
            found = re.search(r"127\.0\.0\.1:(\d+)", first)
            if found is None:
                raise AssertionError(f"kubectl port-forward {what}: {first}{process.stdout.read()}")
            # Each connection is a line; unread, they would fill the pipe and stop the forwarding.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            watchdog.cancel()
            process.terminate()
