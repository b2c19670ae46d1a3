"""From the words of a judge to a number, or none."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from typing import Any, Final, Literal

import jsonpath
import regex
from pydantic import Field

from evaluation_operator.resources.base import StrictModel

from ..base import InvalidSpec

TIME_LIMIT: Final = 1.0
"""Seconds for a regular expression on one answer."""
LONGEST: Final = 200_000
"""Characters of an answer that are looked at."""
#: Names and positions only: filters and wildcards of JSONPath could take any time.
_PATH: Final = re.compile(
    r"\$?(?:\.?[A-Za-z_][\w-]*|\[\d+\]|\['[^'\\]+'\]|\[\"[^\"\\]+\"\])(?:\.[A-Za-z_][\w-]*|\[\d+\]|\['[^'\\]+'\]|\[\"[^\"\\]+\"\])*"
)
_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)


class RegexParams(StrictModel):
    """The first group of the pattern's first match is the score."""

    type: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=2000)
    method: Literal["search", "match"] = "search"


class JsonParams(StrictModel):
    """The score stands at this path of the JSON in the answer."""

    type: Literal["json"]
    json_path: str = Field(min_length=1, max_length=500)


class ScoreParams(StrictModel):
    """``type``: a score of type int that is no whole number is no score. The range includes its ends; a score outside
    is none.
    """

    type: Literal["int", "float"] = "float"
    parser: RegexParams | JsonParams = Field(discriminator="type")
    minimum: float | None = None
    maximum: float | None = None


class TooSlow(Exception):
    """The pattern does not come to an end on an answer."""


class Parser(ABC):
    """Reads one score."""

    def __init__(self, params: ScoreParams, where: str) -> None:
        if params.minimum is not None and params.maximum is not None and params.minimum > params.maximum:
            raise InvalidSpec(f"{where}: minimum is larger than maximum")
        self._params = params
        self.where = where

    def read(self, text: str) -> float | None:
        """Return the score in an answer, None when there is none that the params allow. Raises ``TooSlow``."""
        found = self.find(text[:LONGEST])
        try:
            number = float(found) if isinstance(found, str | int | float) else math.nan
        except (ValueError, OverflowError):
            return None
        low, high = self._params.minimum, self._params.maximum
        if not math.isfinite(number) or (self._params.type == "int" and not number.is_integer()):
            return None
        if (low is not None and number < low) or (high is not None and number > high):
            return None
        return number

    @abstractmethod
    def find(self, text: str) -> Any:
        """Return what stands at the place of the score."""


class RegexParser(Parser):
    """By a regular expression."""

    def __init__(self, params: ScoreParams, parser: RegexParams, where: str) -> None:
        super().__init__(params, where)
        place = f"{where}.parser.pattern"
        try:
            pattern = regex.compile(parser.pattern)
        except (regex.error, RecursionError, OverflowError) as error:
            raise InvalidSpec(f"{place}: {error}") from None
        if not pattern.groups:
            raise InvalidSpec(f"{place}: put the score into parentheses, as in 'SCORE: (\\d+)'")
        self._find = pattern.search if parser.method == "search" else pattern.match

    def find(self, text: str) -> Any:
        try:
            match = self._find(text, timeout=TIME_LIMIT, concurrent=True)
        except TimeoutError:
            raise TooSlow from None
        return None if match is None else match[1]


class JsonParser(Parser):
    """By a path into the JSON of the answer: all of it, or what stands between fences, or the first object in it."""

    def __init__(self, params: ScoreParams, parser: JsonParams, where: str) -> None:
        super().__init__(params, where)
        path = parser.json_path
        if not _PATH.fullmatch(path):
            raise InvalidSpec(
                f"{where}.parser.json_path: give names and positions, as in $.scores[0].value, not {path!r}"
            )
        self._path = jsonpath.compile(path if path.startswith("$") else f"$.{path}" if path[0] != "[" else f"${path}")

    def find(self, text: str) -> Any:
        value = json_in(text)
        if not isinstance(value, dict | list):
            return None
        found = self._path.findall(value)
        return found[0] if len(found) == 1 else None


def json_in(text: str) -> Any:
    """Return the JSON in an answer, None when there is none."""
    text = text.strip()
    fenced = _FENCED.search(text)
    start = text.find("{")
    for part in (text, fenced[1] if fenced else None, text[start:] if start >= 0 else None):
        try:
            if part is not None:
                return json.JSONDecoder().raw_decode(part.strip())[0]
        except (ValueError, RecursionError):
            continue
    return None


def parser_of(params: ScoreParams, where: str) -> Parser:
    """Return the parser that the params describe. Raises ``InvalidSpec``."""
    if isinstance(params.parser, RegexParams):
        return RegexParser(params, params.parser, where)
    return JsonParser(params, params.parser, where)
