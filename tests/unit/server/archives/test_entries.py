"""Archives that are made to harm: nothing of them gets through, what is good in them does."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_operator.server.archives import entries
from evaluation_operator.server.archives.entries import Archive

MIB = 1024 * 1024
FILES = {"run.json": b"{}", "samples/000-t.jsonl": b"x" * 1000, "engine/deep/x.bin": os.urandom(512), "empty": b""}


def pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def tar(files: dict[str, bytes], *more: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as out:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
        for entry, content in more:
            out.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def read(data: bytes, most: int = 100 * MIB) -> tuple[dict[str, bytes], list[str]]:
    archive = Archive(pieces(data), most)
    found = {entry.name: b"".join(entry.chunks) for entry in archive.entries()}
    return found, archive.left_out


def info(name: str, **given: Any) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    for key, value in given.items():
        setattr(entry, key, value)
    return entry


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_was_packed_is_found(kind: int) -> None:
    assert read(gzip.compress(tar(FILES, kind=kind))) == (FILES, [])


def test_entries_may_be_passed_over() -> None:
    archive = Archive(pieces(gzip.compress(tar(FILES))), MIB)
    assert [entry.name for entry in archive.entries()] == list(FILES)
    assert archive.left_out == []


def test_a_long_name_and_one_of_many_letters() -> None:
    files = {"samples/" + "n" * 300: b"1", "samples/ü€.jsonl": b"2"}
    assert read(gzip.compress(tar(files))) == (files, [])


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../x", "a//b", "..", "a/. ./b", "C:\\x", "a\\b", "a\nb", "x" * 600, "a\x9bb"],
)
def test_names_that_lead_elsewhere_are_left_out(name: str) -> None:
    found, left_out = read(gzip.compress(tar({"good": b"1"}, (info(name, size=1), b"2"), (info("after"), b""))))
    assert (found, len(left_out)) == ({"good": b"1", "after": b""}, 1)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_left_out(kind: bytes) -> None:
    found, left_out = read(gzip.compress(tar({"good": b"1"}, (info("bad", type=kind, linkname="/etc/passwd"), b""))))
    assert (found, len(left_out)) == ({"good": b"1"}, 1)


def test_a_folder_is_nothing_to_speak_of() -> None:
    assert read(gzip.compress(tar({"good": b"1"}, (info("folder", type=tarfile.DIRTYPE), b"")))) == ({"good": b"1"}, [])


def test_of_two_entries_of_one_name_the_first_is_given() -> None:
    found, left_out = read(gzip.compress(tar({"x": b"1"}, (info("./x", size=1), b"2"))))
    assert (found, len(left_out)) == ({"x": b"1"}, 1)


def test_a_bomb_ends_at_the_bound_with_little_memory() -> None:
    bomb = gzip.compress(tar({"run.json": b"{}", "bomb": b"\0" * (64 * MIB)}))
    assert len(bomb) < MIB
    tracemalloc.start()
    try:
        archive = Archive(pieces(bomb), 8 * MIB)
        sizes = {entry.name: sum(map(len, entry.chunks)) for entry in archive.entries()}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes["run.json"] == 2
    assert sizes["bomb"] <= 8 * MIB
    assert "too large" in archive.left_out[0]
    assert peak < 4 * MIB


def header_bomb(kind: bytes, size: int) -> bytes:
    return info("header", type=kind, size=size).tobuf(tarfile.USTAR_FORMAT) + b"1" * size


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_is_a_bomb_is_not_taken_into_memory(kind: bytes) -> None:
    bomb = gzip.compress(tar({"good": b"1"})[:1024] + header_bomb(kind, 32 * MIB) + tar({"after": b"2"}))
    tracemalloc.start()
    try:
        found, left_out = read(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found, len(left_out)) == ({"good": b"1"}, 1)
    assert peak < 4 * MIB


def test_headers_for_all_do_not_add_up() -> None:
    """A global header with new keys before each entry."""
    parts = []
    for number in range(40):
        keyword = f"k{number}=".encode() + b"v" * 500_000 + b"\n"
        record = f"{len(keyword) + 7} ".encode() + keyword
        padding = b"\0" * (-len(record) % 512)
        parts.append(info("g", type=tarfile.XGLTYPE, size=len(record)).tobuf(tarfile.USTAR_FORMAT) + record + padding)
        parts.append(tar({f"f{number}": b"1"})[:1024])
    bomb = gzip.compress(b"".join(parts) + b"\0" * 1024)
    tracemalloc.start()
    try:
        found, _ = read(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 40
    assert peak < 10 * MIB


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MAX_ENTRIES", 3)
    found, left_out = read(gzip.compress(tar({f"f{n}": b"" for n in range(5)})))
    assert (list(found), left_out) == (["f0", "f1", "f2"], ["everything after 3 entries"])


def test_a_size_that_is_a_lie() -> None:
    entry = info("x", size=10**15)
    data = gzip.compress(tar({"good": b"1"})[:1024] + entry.tobuf(tarfile.GNU_FORMAT) + b"short")
    found, left_out = read(data)
    assert found == {"good": b"1", "x": b"short"}
    assert left_out == ["the rest of x and what follows it: the archive is damaged (EOFError)"]


def test_a_negative_size_ends_it() -> None:
    header = bytearray(info("x", size=1).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"%06o\0 " % (256 + sum(header[:148]) + sum(header[156:512]))
    found, left_out = read(gzip.compress(tar({"good": b"1"})[:1024] + bytes(header) + tar({"after": b"2"})))
    assert found["good"] == b"1"
    assert left_out


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip", "no tar", "empty"])
def test_damage_is_told_and_what_came_before_it_is_given(damage: str) -> None:
    whole = gzip.compress(tar(FILES | {"big": os.urandom(300_000)}))
    data = {
        "cut": whole[:200_000],
        "flipped": whole[:-4] + b"\xff\xff\xff\xff",
        "no gzip": b"PK\x03\x04" + whole,
        "no tar": gzip.compress(b"x" * 5000),
        "empty": b"",
    }[damage]
    found, left_out = read(data)
    assert len(left_out) <= 1
    if damage == "cut":
        assert {name: found[name] for name in FILES} == FILES
    if damage not in {"flipped"}:
        assert left_out


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_at_all(data: bytes, compressed: bool) -> None:
    read(zlib.compress(data, wbits=31) if compressed else data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=40))
def test_any_change_to_a_good_archive(at: int, patch: bytes) -> None:
    plain = bytearray(tar(FILES))
    plain[at : at + len(patch)] = patch
    for name, content in read(gzip.compress(bytes(plain)))[0].items():
        assert ".." not in name.split("/")
        assert len(content) < 100 * MIB
