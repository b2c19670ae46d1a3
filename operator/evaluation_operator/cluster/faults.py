"""Faults for the in-memory cluster: which calls fail, how, and whether the write happened before its answer
was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluation_operator.cluster.errors import ClusterError, from_status
from evaluation_operator.cluster.port import Resource

WRITES = frozenset({"create", "patch", "patch_status", "delete"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port. `verb` is the name of its method."""

    verb: str
    resource: Resource
    namespace: str
    name: str

    @property
    def writes(self) -> bool:
        return self.verb in WRITES


@dataclass(slots=True)
class Fault:
    """Calls that match fail with `error`, `times` times (None: always) after letting `skip` of them pass.

    With `after`, the call has its effect first and only the answer is lost.
    """

    error: Callable[[], BaseException]
    matches: Callable[[Call], bool]
    times: int | None = 1
    skip: int = 0
    after: bool = False

    def strikes(self, call: Call) -> bool:
        """Whether this call fails; counts it."""
        if self.times == 0 or not self.matches(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults of one cluster, and the record of every call made to it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._faults: list[Fault] = []

    def add(
        self,
        error: int | Callable[[], BaseException],
        *,
        verb: str | None = None,
        resource: Resource | None = None,
        times: int | None = 1,
        skip: int = 0,
        after: bool = False,
        matching: Callable[[Call], bool] | None = None,
    ) -> Fault:
        """A fault for calls of this verb and resource (None: any); `error` is an HTTP status or makes the
        exception.
        """

        def matches(call: Call) -> bool:
            return (
                (verb is None or call.verb == verb)
                and (resource is None or call.resource == resource)
                and (matching is None or matching(call))
            )

        def http(status: int) -> Callable[[], ClusterError]:
            return lambda: from_status(status, {"message": "injected fault", "reason": "Injected"})

        fault = Fault(http(error) if isinstance(error, int) else error, matches, times, skip, after)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forgets faults and recorded calls."""
        self._faults.clear()
        self.calls.clear()

    def before(self, call: Call) -> None:
        """Records the call; raises when a fault strikes it before it has any effect."""
        self.calls.append(call)
        self._strike(call, after=False)

    def after(self, call: Call) -> None:
        """Raises when the answer to the call is to be lost."""
        self._strike(call, after=True)

    def _strike(self, call: Call, *, after: bool) -> None:
        for fault in self._faults:
            if fault.after == after and fault.strikes(call):
                raise fault.error()

    @property
    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.writes]
