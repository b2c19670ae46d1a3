"""What is said when the artifact store fails: full, refused, or not there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError as ObstoreError
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from evaluation_operator.server.refusals import Refused

_log = logging.getLogger(__name__)

# How the libraries below spell "no room": errno 28 (ENOSPC), 122 (EDQUOT), 27 (EFBIG), and the codes of S3 servers.
_FULL = re.compile(
    r"os error (28|122|27)\b|StorageFull|QuotaExceeded|FileTooLarge|InsufficientStorage|InsufficientCapacity|ENOSPC"
)
# A listing is refused with a general error, whose text alone tells why: credentials, rights, or no such bucket.
_REFUSED = re.compile(r"status code: 40[134]\b|NoSuchBucket|ContainerNotFound|The specified bucket does not exist")
# A write into a bucket that does not exist, or by an unknown key at some servers, is answered as "not found".
_REFUSALS = (PermissionDeniedError, UnauthenticatedError, PermissionError, FileNotFoundError)


def full() -> Refused:
    """507: there is no room."""
    return Refused(507, "store-full", "the artifact store is full; the administrator must free or add space")


def trouble(error: Exception) -> Refused:
    """The answer for a failure of the store. Details go to the log only: they name addresses and paths."""
    text = str(error)
    if _FULL.search(text):
        _log.error("the artifact store is full", extra={"error": first_line(error)})
        return full()
    _log.error("the artifact store failed", extra={"error": first_line(error), "type": type(error).__name__})
    if isinstance(error, _REFUSALS) or _REFUSED.search(text):
        detail = "the artifact store refuses this service; the administrator must check its bucket and credentials"
        return Refused(503, "store-refused", detail, retry_after=60)
    return Refused(503, "store-down", "the artifact store does not answer; try again", retry_after=5)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Raises what `trouble` says instead of a failure of the disk, of the store's library or of its time."""
    try:
        yield
    except (ObstoreError, OSError, ValueError) as error:
        raise trouble(error) from error


def first_line(error: Exception) -> str:
    """The beginning of an error's text, for logs."""
    return str(error).partition("\n")[0][:500]
