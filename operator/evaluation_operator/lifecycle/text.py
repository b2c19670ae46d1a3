"""Bounds on text that comes from pods, users or other controllers before it goes into a status."""

MAX_MESSAGE_BYTES = 1024
_ELLIPSIS = "…"


def cut(text: str, limit: int = MAX_MESSAGE_BYTES) -> str:
    """Return the text as one line of at most `limit` UTF-8 bytes, without control characters or lone
    surrogates."""
    # Far more than can be kept is not looked at, so that the cost does not depend on the sender.
    clean = text[: 4 * limit]
    if not clean.isprintable():
        clean = "".join(char if char.isprintable() else " " for char in clean)
    line = " ".join(clean.split())
    raw = line.encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - len(_ELLIPSIS.encode())].decode(errors="ignore") + _ELLIPSIS
