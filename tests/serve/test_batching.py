"""Images of many requests go through the network together, and each gets its own answer."""

import asyncio
import time
from threading import Event

import numpy as np
import pytest
from colours import SIZE, Answers, by_colour
from numpy.typing import NDArray

from leukoscope.serve.batching import Batcher, Busy


def shades(*values: int) -> list[NDArray[np.uint8]]:
    return [np.full((SIZE, SIZE, 3), (value, 100, 100), np.uint8) for value in values]


def test_what_waits_goes_together_and_comes_back_in_order() -> None:
    sizes: list[int] = []
    begun, may_go = Event(), Event()

    def answer(pixels: NDArray[np.uint8]) -> Answers:
        begun.set()
        assert may_go.wait(20)
        return by_colour(pixels)

    async def scenario() -> list[list[Answers]]:
        batcher = Batcher(answer, waiting=100, observe=lambda images, _: sizes.append(images))
        work = asyncio.create_task(batcher.run())
        asked = [asyncio.create_task(batcher.answer(shades(0)))]
        await asyncio.to_thread(begun.wait, 20)
        asked += [asyncio.create_task(batcher.answer(shades(k, 250))) for k in (10, 50, 90)]
        await asyncio.sleep(0)
        may_go.set()
        done = await asyncio.gather(*asked)
        work.cancel()
        batcher.close()
        return done

    done = asyncio.run(scenario())
    assert sizes == [1, 6]
    for answers, red in zip(done[1:], (10, 50, 90), strict=True):
        first, second = answers
        assert first.probabilities == pytest.approx(by_colour(np.array(shades(red))).probabilities)
        assert second.probabilities[0, 0] > first.probabilities[0, 0]


def test_a_request_that_gave_up_leaves_the_queue() -> None:
    seen: list[int] = []
    begun, may_go = Event(), Event()

    def answer(pixels: NDArray[np.uint8]) -> Answers:
        seen.extend(pixels[:, 0, 0, 0].tolist())
        begun.set()
        assert may_go.wait(20)
        return by_colour(pixels)

    async def scenario() -> None:
        batcher = Batcher(answer, waiting=100)
        work = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.answer(shades(1)))
        await asyncio.to_thread(begun.wait, 20)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.answer(shades(2)), 0.01)
        third = asyncio.create_task(batcher.answer(shades(3)))
        await asyncio.sleep(0)
        may_go.set()
        await asyncio.gather(first, third)
        work.cancel()
        batcher.close()

    asyncio.run(scenario())
    assert seen == [1, 3]


def test_a_network_that_fails_fails_its_batch_alone() -> None:
    def answer(pixels: NDArray[np.uint8]) -> Answers:
        if pixels[0, 0, 0, 0] == 13:
            raise RuntimeError("bad luck")
        return by_colour(pixels)

    async def scenario() -> int:
        batcher = Batcher(answer, waiting=100)
        work = asyncio.create_task(batcher.run())
        with pytest.raises(RuntimeError, match="bad luck"):
            await batcher.answer(shades(13))
        after = await batcher.answer(shades(1, 2))
        work.cancel()
        batcher.close()
        return len(after)

    assert asyncio.run(scenario()) == 2


def test_there_is_room_until_there_is_none() -> None:
    async def scenario() -> None:
        batcher = Batcher(by_colour, waiting=10, batch=4)
        with batcher.place(9), batcher.place(32):  # a large request is let in while there is room
            with pytest.raises(Busy) as busy, batcher.place(1):
                pass
            assert busy.value.seconds == 11  # 41 images, 4 a second until it is measured
        assert batcher.waiting == 0
        batcher.close()

    asyncio.run(scenario())


def test_patience_follows_the_speed_of_the_network() -> None:
    def slow(pixels: NDArray[np.uint8]) -> Answers:
        time.sleep(0.05)
        return by_colour(pixels)

    async def scenario() -> tuple[int, int]:
        batcher = Batcher(slow, waiting=100, batch=1000)
        work = asyncio.create_task(batcher.run())
        with batcher.place(99):
            before = batcher.patience()
            for _ in range(12):
                await batcher.answer(shades(1))
            after = batcher.patience()
        work.cancel()
        batcher.close()
        return before, after

    before, after = asyncio.run(scenario())
    assert before == 1
    assert after > 1
