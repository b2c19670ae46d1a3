"""Users of the in-memory cluster: their tokens, and what they were allowed to do."""

from __future__ import annotations

from evaluation_operator.cluster.faults import Call, Faults
from evaluation_operator.cluster.port import ACCESS_REVIEWS, TOKEN_REVIEWS, Identity, Resource


class MemoryUsers:
    """The part of `ClusterPort` that is about people and pods, not objects."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._tokens: dict[tuple[str, str], Identity] = {}
        self._granted: set[tuple[str, str, Resource, str, str]] = set()

    def add_token(self, token: str, audience: str, identity: Identity) -> None:
        """Makes `review_token` know a token."""
        self._tokens[token, audience] = identity

    def grant(self, user: str, verbs: str, resource: Resource, namespace: str = "", name: str = "") -> None:
        """Makes `review_access` allow these verbs (a word each) to a user or group; without a namespace in all."""
        self._granted |= {(user, verb, resource, namespace, name) for verb in verbs.split()}

    def revoke(self, user: str) -> None:
        """Takes back everything that was granted to a user or group."""
        self._granted = {right for right in self._granted if right[0] != user}

    async def review_token(self, token: str, audience: str) -> Identity | None:
        self.faults.before(Call("create", TOKEN_REVIEWS, "", ""))
        return self._tokens.get((token, audience))

    async def review_access(
        self, who: Identity, verb: str, resource: Resource, namespace: str = "", name: str = ""
    ) -> bool:
        self.faults.before(Call("create", ACCESS_REVIEWS, "", ""))
        return any(
            (user, verb, resource, where, which) in self._granted
            for user in (who.username, *who.groups)
            for where in {namespace, ""}
            for which in {name, ""}
        )
