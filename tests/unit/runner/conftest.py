from collections.abc import AsyncIterator

import pytest

from tests.unit.runner.support import FaultyEndpoint, faulty_endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[FaultyEndpoint]:
    async with faulty_endpoint() as found:
        yield found
