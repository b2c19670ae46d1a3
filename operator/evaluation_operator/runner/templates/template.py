"""One template of a job, read when the job is planned: its syntax is checked, and where it may be evaluated decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jinja2 import TemplateSyntaxError, nodes

from evaluation_operator.runner.engines.base import InvalidSpec

from .sandbox import SANDBOX, compiled

LONGEST: Final = 256 * 1024
"""Characters of a template."""
#: What a template may consist of and yet cost no more than the row that it reads: text, fields, conditions, and filters
#: without arguments. A loop, arithmetic or an argument can multiply, and so can JSON of JSON: it doubles every quote.
_LINEAR: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const),
    *(nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.If),
)
_LINEAR_FILTERS: Final = frozenset(
    {"tojson", "trim", "lower", "upper", "title", "capitalize", "string", "length", "int", "float", "first", "last"}
)
_DEFAULTS: Final = frozenset({"default", "d"})
_MOST_NODES: Final = 200
_DEEPEST: Final = 60


@dataclass(frozen=True, slots=True)
class Template:
    """``where``: its place in the spec, for messages. ``constant``: its text, when it is always the same.

    ``linear``: it costs no more than the row it reads, so that it needs no process of its own.
    """

    source: str
    where: str
    constant: str | None
    linear: bool


def parse(source: str, where: str) -> Template:
    """Read a template without evaluating anything of it. Raises ``InvalidSpec``."""
    if len(source) > LONGEST:
        raise InvalidSpec(f"{where}: the template has {len(source)} characters; the limit is {LONGEST}")
    try:
        tree = SANDBOX.parse(source)
        _check_names(tree, where)
        linear = _linear(tree)
        if linear:
            compiled(source)
    except TemplateSyntaxError as error:
        raise InvalidSpec(f"{where}: line {error.lineno} of the template: {error.message}") from None
    except (RecursionError, MemoryError, SyntaxError):
        raise InvalidSpec(f"{where}: the template is nested too deeply") from None
    return Template(source, where, _constant(tree), linear)


def _constant(tree: nodes.Template) -> str | None:
    parts = [part for output in tree.body for part in (output.nodes if isinstance(output, nodes.Output) else [None])]
    if all(isinstance(part, nodes.TemplateData) for part in parts):
        return "".join(part.data for part in parts if isinstance(part, nodes.TemplateData))
    return None


def _check_names(tree: nodes.Template, where: str) -> None:
    """Refuse what Jinja would find out only when it compiles."""
    for filter_ in tree.find_all(nodes.Filter):
        if filter_.name not in SANDBOX.filters:
            raise InvalidSpec(f"{where}: line {filter_.lineno} of the template: there is no filter {filter_.name!r}")
    for test in tree.find_all(nodes.Test):
        if test.name not in SANDBOX.tests:
            raise InvalidSpec(f"{where}: line {test.lineno} of the template: there is no test {test.name!r}")
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise InvalidSpec(f"{where}: line {other.lineno} of the template: a template cannot use other templates")


def _linear(tree: nodes.Template) -> bool:
    return not _json_of_json(tree) and all(
        count < _MOST_NODES and depth < _DEEPEST and isinstance(node, _LINEAR) and _linear_filter(node)
        for count, (node, depth) in enumerate(_walk(tree, 0))
    )


def _linear_filter(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.Filter):
        return True
    arguments = node.args or node.kwargs or node.dyn_args or node.dyn_kwargs
    return node.name in _DEFAULTS or (node.name in _LINEAR_FILTERS and not arguments)


def _json_of_json(tree: nodes.Template) -> bool:
    return any(
        inner.name == "tojson"
        for outer in tree.find_all(nodes.Filter)
        if outer.name == "tojson"
        for inner in outer.find_all(nodes.Filter)
    )


def _walk(node: nodes.Node, depth: int) -> Iterator[tuple[nodes.Node, int]]:
    yield node, depth
    for child in node.iter_child_nodes():
        yield from _walk(child, depth + 1)
