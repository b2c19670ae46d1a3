"""Bearer tokens as they stand in a request, before the cluster is asked about them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re

from evaluation_operator.server.refusals import Refused

_MAX_TOKEN = 16 * 1024
#: What RFC 6750 allows: signed tokens of every issuer, and opaque ones.
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SIGNED = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def bearer(authorization: str | None, needed: str, *, signed: bool = False) -> str:
    """The token of an Authorization header. `needed` says for the answer which token is wanted; with `signed` it must
    look like a JSON web token, as those of service accounts do.

    Raises Refused (401). It does not judge the token, it only keeps from the cluster what is certainly none.
    """
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "token", f"a bearer token is needed: {needed}")
    if len(token) > _MAX_TOKEN or not (_SIGNED if signed else _BEARER).fullmatch(token):
        raise Refused(401, "token", f"the bearer token has no form that a token can have; needed is {needed}")
    return token


def digest(token: str) -> bytes:
    """What a token is remembered by: what is not held cannot leak."""
    return hashlib.sha256(token.encode()).digest()


def expiry(token: str) -> float | None:
    """When a token that was found valid expires, in seconds since 1970; None when it does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, LookupError, TypeError, RecursionError):
        return None
