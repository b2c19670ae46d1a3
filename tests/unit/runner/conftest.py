from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.unit.runner.support import FaultyEndpoint, faulty_endpoint

# Time is not what these properties are about, and a busy machine makes any limit a coin toss.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
async def endpoint() -> AsyncIterator[FaultyEndpoint]:
    async with faulty_endpoint() as found:
        yield found
