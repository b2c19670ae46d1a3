"""Argo CD's sandbox for Lua scripts: Lua 5.1 with the base and table libraries and an `os` that tells the time only."""

from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type

#: What Argo CD does not open for scripts from `argocd-cm` (`useOpenLibs` is off by default).
_CLOSED = (
    "string",
    "math",
    "io",
    "debug",
    "coroutine",
    "package",
    "require",
    "dofile",
    "loadfile",
    "python",
    "jit",
    "bit",
)
#: Instructions after which a script is stopped. Argo CD stops it after a second.
_LIMIT = 1_000_000


class LuaSandbox:
    """Runs one script over objects; a fresh runtime each time, as Argo CD does."""

    def __init__(self, script: Path) -> None:
        self._source = script.read_text()

    def __call__(self, obj: dict[str, Any]) -> Any:
        """Return what the script returns for this object, as plain Python values."""
        lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
        lua.globals()["obj"] = _table(lua, obj)
        lua.execute(f"debug.sethook(function() error('the script runs for too long') end, '', {_LIMIT})")
        lua.execute("debug.setmetatable('', nil); os = { time = os.time, date = os.date }")
        for name in _CLOSED:
            lua.globals()[name] = None
        return _plain(lua.execute(self._source))


def _table(lua: LuaRuntime, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list):
        return lua.table_from([_table(lua, item) for item in value])
    return value


def _plain(value: Any) -> Any:
    if lua_type(value) != "table":
        return value
    items = {key: _plain(item) for key, item in value.items()}
    if items and set(items) == set(range(1, len(items) + 1)):
        return [items[index] for index in range(1, len(items) + 1)]
    return items
