"""asyncio: tasks that hand over to each other."""

import asyncio

REPEATS = 100
LOOP = asyncio.new_event_loop()


async def step(number: int) -> int:
    """Let the others go first, once."""
    await asyncio.sleep(0)
    return number


async def unit() -> int:
    """Make four tasks and wait for them."""
    return sum(await asyncio.gather(*(step(number) for number in range(4))))


async def _work() -> int:
    total = 0
    for _ in range(REPEATS):
        total = await unit()
    return total


def work() -> int:
    """Repeat the unit of work."""
    return LOOP.run_until_complete(_work())
