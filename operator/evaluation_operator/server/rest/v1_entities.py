"""Targets and configs of v1 for callers: what the two kinds have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response

from evaluation_operator.cluster.port import Body, Resource
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.index.grammar import Grammar
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.index.rows import Row
from evaluation_operator.server.objects.requests import Config, ConfigUpdate, Target, TargetUpdate
from evaluation_operator.server.refusals import Refused, invalid
from evaluation_operator.server.rest import lists
from evaluation_operator.server.rest.bodies import Document, answer, deleted, parsed
from evaluation_operator.server.writes import Writes

Namespace = Annotated[str, Path(max_length=255)]


def _name(request: Request) -> str:
    """The part of the path that the two kinds call differently."""
    return str(next(value for key, value in request.path_params.items() if key.endswith("_name")))


EntityName = Annotated[str, Depends(_name)]

_New = TypeVar("_New", bound=Target | Config)
_Change = TypeVar("_Change", bound=TargetUpdate | ConfigUpdate)


@dataclass(frozen=True, slots=True)
class Kind(Generic[_New, _Change]):
    """What is different between them."""

    word: str
    resource: Resource
    new: type[_New]
    change: type[_Change]
    grammar: Grammar
    create: Callable[[Caller, _New], Awaitable[Body]]
    update: Callable[[Caller, Body, _Change], Awaitable[Body]]
    shown: Callable[[Mapping[str, Any]], dict[str, Any]]


class Entities(Generic[_New, _Change]):
    """The calls on one kind. Each raises Refused or RequestValidationError."""

    def __init__(
        self,
        kind: Kind[_New, _Change],
        index: Index,
        writes: Writes,
        rendered: Rendered,
        *,
        wall_clock: Callable[[], float],
    ) -> None:
        self._kind = kind
        self._index = index
        self._writes = writes
        self._rendered = rendered
        self._wall_clock = wall_clock

    async def create(self, caller: Caller, document: Any) -> Response:
        """201 with what was made."""
        made = await self._kind.create(caller, parsed(self._kind.new, document))
        return answer(self._kind.shown(made), 201)

    async def page(self, caller: Caller, request: Request) -> Response:
        """A page of them."""
        query = lists.asked(request)
        found, total = await lists.rows(self._index, self._kind.resource, self._kind.grammar, query, caller)
        items = lists.Items()
        for row in found:
            await items.add(self._row(row))
        return lists.answer(query, items, total)

    async def retrieve(self, caller: Caller, namespace: str, name: str) -> Response:
        """The one of this name."""
        return answer(self._kind.shown(await self.found(caller, namespace, name)))

    async def update(self, caller: Caller, namespace: str, name: str, document: Any) -> Response:
        """The changed one."""
        request = parsed(self._kind.change, document)
        for field, given, path in (("name", request.name, name), ("namespace", request.namespace, namespace)):
            if given not in (None, path):
                raise invalid(["body", field], f"{field} cannot change; create another {self._kind.word} instead")
        body = await self.found(caller, namespace, name)
        return answer(self._kind.shown(await self._kind.update(caller, body, request)))

    async def delete(self, caller: Caller, namespace: str, name: str) -> Response:
        """What was deleted, and when."""
        body = await self.found(caller, namespace, name)
        shown = self._kind.shown(body)
        await self._writes.delete(caller, self._kind.resource, body)
        return deleted(shown["id"], f"the evaluation {self._kind.word} {namespace}/{name}", self._wall_clock())

    async def found(self, caller: Caller, namespace: str, name: str) -> Body:
        """The object of this name. Raises Refused: 404 without one."""
        body = await self._index.named(self._kind.resource, namespace, name) if self._writes.serves(namespace) else None
        # Before it is said whether there is one: who may not look must not learn names.
        await caller.require("get", self._kind.resource, namespace, body["metadata"]["name"] if body else "")
        if body is None:
            word = self._kind.word
            raise Refused(404, f"no-{word}", f"there is no evaluation {word} {namespace[:64]}/{name[:256]}")
        return body

    def _row(self, row: Row) -> bytes:
        return self._rendered.get(("v1", row.uid, row.version), lambda: self._kind.shown(row.body))


def router(entities: Entities[Any, Any], plural: str) -> APIRouter:
    """The routes of one kind; `plural` is its part of the path."""
    word = plural.removesuffix("s")
    routes = APIRouter(prefix=f"/v1/evaluation/{plural}")
    one = f"/{{namespace}}/{{{word}_name}}"

    @routes.post("", status_code=201)
    async def create(caller: CurrentCaller, document: Document) -> Response:
        return await entities.create(caller, document)

    @routes.get("")
    async def page(caller: CurrentCaller, request: Request) -> Response:
        return await entities.page(caller, request)

    @routes.get(one)
    async def retrieve(namespace: Namespace, name: EntityName, caller: CurrentCaller) -> Response:
        return await entities.retrieve(caller, namespace, name)

    @routes.patch(one)
    async def update(namespace: Namespace, name: EntityName, caller: CurrentCaller, document: Document) -> Response:
        return await entities.update(caller, namespace, name, document)

    @routes.delete(one)
    async def delete(namespace: Namespace, name: EntityName, caller: CurrentCaller) -> Response:
        return await entities.delete(caller, namespace, name)

    return routes
