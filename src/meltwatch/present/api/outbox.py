"""Orders on their way to the core: stored first, handed over one by one, in their order.

The register keeps them and their order; whatever was stored before a restart is handed over after
it. The one task that speaks to the core is `run`.
"""

from __future__ import annotations

import asyncio
import logging

import anyio.to_thread

from meltwatch.audit.chain import Head
from meltwatch.clock import Clock
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import AnyCommand
from meltwatch.present.live.core_line import CoreAway, CoreLine, OrderRefused
from meltwatch.register.errors import OutboxOutOfStep, RegisterUnavailable
from meltwatch.register.order import Obeyed, Order, OutOfTurn
from meltwatch.register.register import Register

AT_ONCE = 100
LOOK_AGAIN_S = 30.0
"""How often it looks for orders that nobody has told it of."""
FIRST_RETRY_S, MOST_RETRY_S = 0.1, 2.0

_log = logging.getLogger(__name__)


class Outbox:
    """Hands stored orders to the core and brings the answers back."""

    def __init__(
        self, register: Register, line: CoreLine, clock: Clock, *, answer_within_s: float = 5.0
    ) -> None:
        """Begin; `run` must run."""
        self.register, self.line, self.clock = register, line, clock
        self.answer_within_s = answer_within_s
        self.waiting = 0
        self._some = asyncio.Event()
        self._asked: dict[int, asyncio.Future[Obeyed]] = {}
        self._away = False

    async def order(self, enterprise: EnterpriseId, command: AnyCommand) -> Obeyed | None:
        """Store an order; return the core's answer, None if it has not come in time."""
        order = await anyio.to_thread.run_sync(
            self.register.order, enterprise, command, self.clock.wall_ms()
        )
        answer: asyncio.Future[Obeyed] = asyncio.get_running_loop().create_future()
        self._asked[order.seq] = answer
        self._some.set()
        try:
            async with asyncio.timeout(self.answer_within_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[order.seq]

    async def run(self) -> None:
        """Hand over until cancelled, what waits from before first."""
        wait_s = FIRST_RETRY_S
        while True:
            self._some.clear()
            try:
                await self._hand_over()
            except (CoreAway, OutboxOutOfStep, RegisterUnavailable) as why:
                self._note(str(why))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, MOST_RETRY_S)
                continue
            wait_s = FIRST_RETRY_S
            self._note("")
            try:
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._some.wait()
            except TimeoutError:
                pass

    async def _hand_over(self) -> None:
        while waiting := await anyio.to_thread.run_sync(self.register.waiting, AT_ONCE):
            self.waiting = len(waiting)
            for order in waiting:
                await self._obey(order)
                self.waiting -= 1

    async def _obey(self, order: Order) -> None:
        """Hand one order over and note the answer.

        One whose number another order has in the core's log can never be obeyed: that is its
        answer, said loudly, and the orders behind it go on. Raises CoreAway for what may pass.
        """
        try:
            answer = await self.line.obey(order)
        except OrderRefused as refused:
            if refused.problem.key != "order.conflict":
                raise CoreAway(str(refused)) from refused
            _log.error("order %s is refused for good: %s", order.seq, refused)
            answer = Obeyed(seq=order.seq, problems=(refused.problem,), head=Head("core"))
        if isinstance(answer, OutOfTurn):
            await anyio.to_thread.run_sync(self.register.see_turn, answer.expected)
            raise CoreAway(f"the core waits for {answer.expected}")
        await anyio.to_thread.run_sync(
            self.register.answered, order.seq, answer, self.clock.wall_ms()
        )
        asked = self._asked.get(order.seq)
        if asked is not None and not asked.done():
            asked.set_result(answer)

    def _note(self, why: str) -> None:
        if bool(why) != self._away:
            _log.warning("orders wait: %s", why) if why else _log.warning("orders go on")
        self._away = bool(why)
