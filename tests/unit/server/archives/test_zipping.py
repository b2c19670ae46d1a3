"""Zip files that are made while they are sent."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

from evaluation_operator.server.archives.zipping import zipped

WHEN = datetime(2026, 11, 25, 19, 0, 0, tzinfo=UTC)


def test_what_goes_in_comes_out() -> None:
    big = os.urandom(3_000_000)
    files = [
        ("configs/job.json", 2, [b"{", b"}"]),
        ("samples/ü.bin", len(big), [big[:1000], big[1000:]]),
        ("none", 0, []),
    ]
    data = b"".join(zipped(files, WHEN))
    assert data.startswith(b"PK\x03\x04")
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == {
            name: b"".join(chunks) for name, _, chunks in files
        }
        assert found.infolist()[0].date_time == (2026, 11, 25, 19, 0, 0)


def test_a_file_of_no_known_end_is_held_in_pieces_only() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield os.urandom(100_000)

    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in zipped([("x", 2**40, endless())], WHEN))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 40_000_000
    assert peak < 5_000_000


def test_a_time_before_the_first_year_of_zip() -> None:
    assert b"".join(zipped([("x", 0, [])], datetime(1970, 1, 1, tzinfo=UTC)))
