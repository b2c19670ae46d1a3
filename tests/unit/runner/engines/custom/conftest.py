from collections.abc import AsyncIterator

import pytest

from tests.unit.runner.engines.custom.support import Models, models


@pytest.fixture
async def there() -> AsyncIterator[Models]:
    async with models() as found:
        yield found
