"""Identifiers of the v1 API: a prefix and the object's UID in base58, so that each can be turned back into the UID."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal
from uuid import UUID, uuid5

Prefix = Literal["eval", "eval-target", "eval-config", "evaluation_result"]
JOB: Final[Prefix] = "eval"
TARGET: Final[Prefix] = "eval-target"
CONFIG: Final[Prefix] = "eval-config"
RESULT: Final[Prefix] = "evaluation_result"

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_BYTES: Final = 16
_FORM: Final = re.compile(rf"(eval|eval-target|eval-config|evaluation_result)-([{_ALPHABET}]{{{_BYTES},22}})")


def v1_job_id(uid: str) -> str:
    """Return `eval-…`, the v1 identifier of the EvaluationJob with this UID."""
    return f"{JOB}-{_base58(_uuid(uid))}"


def target_id(uid: str) -> str:
    """Return `eval-target-…`, the identifier of the EvaluationTarget with this UID."""
    return f"{TARGET}-{_base58(_uuid(uid))}"


def config_id(uid: str) -> str:
    """Return `eval-config-…`, the identifier of the EvaluationConfig with this UID."""
    return f"{CONFIG}-{_base58(_uuid(uid))}"


def result_id(uid: str) -> str:
    """Return `evaluation_result-…`: of a job's own result when `uid` is the job's, else of one that a user made."""
    return f"{RESULT}-{_base58(_uuid(uid))}"


def nested_id(prefix: str, uid: str, where: str) -> str:
    """Return the identifier of what stands inside an object and has no UID of its own, as an inline target, a model or
    a dataset: the same for the same object and place. `where` is the path, for example `target/model`."""
    return f"{prefix}-{_base58(uuid5(_uuid(uid), where))}"


def uid_of(identifier: str, prefix: Prefix | None = None) -> str | None:
    """Return the UID inside an identifier of v1, limited to one prefix if given; None for anything else."""
    found = _FORM.fullmatch(identifier)
    if found is None or (prefix is not None and found[1] != prefix):
        return None
    number = 0
    for letter in found[2]:
        number = number * len(_ALPHABET) + _VALUES[letter]
    if number >= 1 << (8 * _BYTES):
        return None
    uid = UUID(int=number)
    return str(uid) if _base58(uid) == found[2] else None


def _uuid(uid: str) -> UUID:
    try:
        return UUID(uid)
    except ValueError:
        # Emulated API servers have other UIDs; such an identifier is as stable, but cannot be turned back.
        return UUID(bytes=hashlib.sha256(uid.encode()).digest()[:_BYTES])


def _base58(value: UUID) -> str:
    number, letters = value.int, ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[digit] + letters
    zeros = len(value.bytes) - len(value.bytes.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + letters
