"""What the watches have shown, as bytes: found by name and by owner, never back in time.

Objects are kept as JSON bytes of the parts that matter, about a tenth of what they cost as dictionaries. A
store never goes back in time for the same uid, takes our own writes at once, and does not bring back what
it saw deleted.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

Key = tuple[str, str]
Body = dict[str, Any]
Projection = Callable[[Mapping[str, Any]], Body]

_TOMBSTONES = 10_000
_TOMBSTONE_SECONDS = 300.0


@dataclass(slots=True, frozen=True)
class Entry:
    """One cached object. `owner` is the uid of its controller, empty without one; `raw` its projection as
    JSON.
    """

    uid: str
    version: str
    owner: str
    raw: bytes

    @property
    def body(self) -> Body:
        """The projection as a new dictionary."""
        body: Body = orjson.loads(self.raw)
        return body


E = TypeVar("E", bound=Entry)


class Store(Generic[E]):
    """Objects of one kind. `make` builds the entry from (uid, version, owner uid, object)."""

    def __init__(
        self,
        make: Callable[[str, str, str, Mapping[str, Any]], E],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._clock = clock
        self._entries: dict[Key, E] = {}
        self._owned: dict[str, set[Key]] = defaultdict(set)
        self._gone: OrderedDict[str, float] = OrderedDict()
        self.on_replace: Callable[[Key, E | None, E | None], None] | None = None
        """Told (key, old, new) of each change; None where there is none."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._entries))

    def get(self, key: Key) -> E | None:
        return self._entries.get(key)

    def owned_by(self, uid: str) -> list[tuple[Key, E]]:
        """The objects whose controller has this uid."""
        return [(key, self._entries[key]) for key in sorted(self._owned.get(uid, ()))]

    def apply(self, body: Mapping[str, Any]) -> bool:
        """Takes an object as seen in a list, a watch or an answer; False when it brings nothing new."""
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        uid, version = metadata["uid"], metadata["resourceVersion"]
        if uid in self._gone:
            return False
        known = self._entries.get(key)
        if known is not None and known.uid == uid and not newer(version, known.version):
            return False
        if known is not None and known.uid != uid:
            self._bury(known.uid)
        self._replace(key, known, self._make(uid, version, controller_of(metadata), body))
        return True

    def put(self, key: Key, entry: E) -> None:
        """Replaces the entry of an object by another of the same object."""
        self._replace(key, self._entries.get(key), entry)

    def remove(self, key: Key, uid: str) -> bool:
        """The object with this uid is gone; False when it was not known."""
        self._bury(uid)
        known = self._entries.get(key)
        if known is None or known.uid != uid:
            return False
        self._replace(key, known, None)
        return True

    def buried(self, uid: str) -> bool:
        """Whether the object with this uid is known to be gone."""
        return uid in self._gone

    def ghosts(self, listed: Mapping[Key, str], version: str, namespace: str = "") -> list[tuple[Key, str]]:
        """Name and uid of what a complete list would show if it still existed, and does not.

        `listed` is from name to uid, `version` the resourceVersion of the list, `namespace` what it was of
        ("": all). What is newer than the list may have been made after it.
        """
        return [
            (key, entry.uid)
            for key, entry in self._entries.items()
            if (not namespace or key[0] == namespace) and listed.get(key) != entry.uid and newer(version, entry.version)
        ]

    def _replace(self, key: Key, old: E | None, new: E | None) -> None:
        if old is not None and old.owner:
            self._owned[old.owner].discard(key)
            if not self._owned[old.owner]:
                del self._owned[old.owner]
        if new is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = new
            if new.owner:
                self._owned[new.owner].add(key)
        if self.on_replace is not None:
            self.on_replace(key, old, new)

    def _bury(self, uid: str) -> None:
        now = self._clock()
        self._gone[uid] = now
        while self._gone:
            first, since = next(iter(self._gone.items()))
            if len(self._gone) <= _TOMBSTONES and now - since <= _TOMBSTONE_SECONDS:
                break
            del self._gone[first]


def newer(version: str, known: str) -> bool:
    """Whether a resourceVersion is later than another of the same object.

    They are numbers that grow in every server there is (and by Kubernetes' rules since 1.35); where they
    are not, a different one counts as later, so that a watch always wins.
    """
    try:
        return int(version) > int(known)
    except ValueError:
        return version != known


def controller_of(metadata: Mapping[str, Any]) -> str:
    """The uid of an object's controller; empty without one."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner.get("uid", ""))
    return ""
