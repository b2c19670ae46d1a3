"""Scores of several categories together, by the formulas of the official leaderboard table.

Only those whose categories all ran: the official table takes a missing category as 0, and so its overall numbers
of a partial run say nothing. Whatever includes an ``exec_*`` category or ``rest`` is therefore never here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean

Accuracies = Mapping[str, tuple[float, int]]
"""category -> (accuracy, number of samples)"""

_LIVE_CALLS = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")
_MULTI_TURN = ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context")


def _unweighted(*categories: str) -> Callable[[Accuracies], float]:
    return lambda found: fmean(found[category][0] for category in categories)


def _weighted(*categories: str) -> Callable[[Accuracies], float]:
    def mean(found: Accuracies) -> float:
        parts = [found[category] for category in categories]
        return sum(accuracy * count for accuracy, count in parts) / sum(count for _, count in parts)

    return mean


_simple_ast = _unweighted("simple", "java", "javascript")


def _non_live_ast(found: Accuracies) -> float:
    return fmean((_simple_ast(found), *(found[c][0] for c in ("multiple", "parallel", "parallel_multiple"))))


#: name of the score -> (the column of the official tables, formula). A formula asks for a category that did not
#: run with a KeyError, and is left out then.
FORMULAS: Mapping[str, tuple[str, Callable[[Accuracies], float]]] = {
    "non_live_simple_ast": ("data_non_live.csv: Simple AST", _simple_ast),
    "non_live_ast_summary": ("data_non_live.csv: AST Summary", _non_live_ast),
    "live_ast_summary": ("data_live.csv: AST Summary", _weighted(*_LIVE_CALLS)),
    "live_overall": (
        "data_live.csv: Live Overall Acc",
        _weighted(*_LIVE_CALLS, "live_irrelevance", "live_relevance"),
    ),
    "multi_turn_overall": ("data_multi_turn.csv: Multi Turn Overall Acc", _unweighted(*_MULTI_TURN)),
    "irrelevance_detection": (
        "data_overall.csv: Irrelevance Detection",
        _unweighted("irrelevance", "live_irrelevance"),
    ),
}


def aggregates(found: Accuracies) -> dict[str, float]:
    """The aggregated scores that the categories allow."""
    values: dict[str, float] = {}
    for name, (_, formula) in FORMULAS.items():
        try:
            values[name] = formula(found)
        except KeyError:
            continue
    return values
