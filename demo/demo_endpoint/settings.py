"""Settings of the server: from the command line, with environment variables as defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What a faulty request gets instead of an answer. Any ``http-<status>`` is a fault, too."""

    NONE = "none"
    HANG = "hang"
    """Nothing, ever; the connection stays open."""
    CUT = "cut"
    """The head and half of the body, then the end of the connection."""
    RESET = "reset"
    """The end of the connection, without a byte."""
    MALFORMED = "malformed"
    """200 with a body that is no JSON."""
    ERROR_IN_SUCCESS = "error-in-success"
    """200 with an error object in it."""
    EMPTY = "empty"
    """200 with no choices."""


@dataclass(frozen=True)
class Settings:
    """``rate_limit``: requests/s above which 429 is answered, 0 for none. ``fault_attempts``: a request fails
    that often and succeeds when sent again, 0 for always. ``die_after``: chat requests after which the process
    ends, 0 for never. ``record``: so many of the last requests are kept for ``GET /requests``, 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = "demo"
    wrong_share: float = 0.0
    seed: str = ""
    latency_ms: float = 0.0
    rate_limit: float = 0.0
    retry_after: float = 1.0
    fault: str = Fault.NONE
    fault_share: float = 1.0
    fault_attempts: int = 0
    die_after: int = 0
    api_key: str = ""
    record: int = 0


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from the command line; every option ``--x-y`` takes its default from ``DEMO_X_Y``."""
    parser = argparse.ArgumentParser(
        prog="python -m demo_endpoint",
        description="A demo endpoint that replays the published answers of BFCL. It is not a model.",
        epilog="Every option can also be given as an environment variable, for example DEMO_WRONG_SHARE=0.2.",
    )

    def option(name: str, default: str | float, text: str) -> None:
        value = os.environ.get("DEMO_" + name.upper().replace("-", "_"), default)
        parser.add_argument(f"--{name}", type=type(default), default=type(default)(value), help=text)

    option("host", Settings.host, "address to listen on")
    option("port", Settings.port, "port to listen on; 0 takes a free one")
    option("model", Settings.model, "model id in /v1/models; any is accepted in requests")
    option("wrong-share", Settings.wrong_share, "share of samples answered wrongly, 0 to 1, chosen by a hash of the id")
    option("seed", Settings.seed, "changes which samples are answered wrongly")
    option("latency-ms", Settings.latency_ms, "time before each answer")
    option("rate-limit", Settings.rate_limit, "requests per second above which 429 is answered; 0: none")
    option("retry-after", Settings.retry_after, "seconds in Retry-After of a 429")
    option("fault", str(Settings.fault), f"{', '.join(Fault)} or http-<status>")
    option("fault-share", Settings.fault_share, "share of requests that get the fault, chosen by a hash of the body")
    option("fault-attempts", Settings.fault_attempts, "how often each such request fails; 0: always")
    option("die-after", Settings.die_after, "chat requests after which the server ends; 0: never")
    option("api-key", Settings.api_key, "bearer key that requests must carry; empty: none")
    option("record", Settings.record, "how many of the last requests GET /requests tells; 0: none")
    settings = Settings(**vars(parser.parse_args(arguments)))
    if not is_fault(settings.fault):
        parser.error(f"--fault {settings.fault}: choose {', '.join(Fault)} or http-<status>")
    return settings


def is_fault(name: str) -> bool:
    """Whether the text names a fault."""
    return name in set(Fault) or (name.startswith("http-") and name[5:].isdigit() and 400 <= int(name[5:]) < 600)
