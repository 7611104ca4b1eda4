"""One connection to an OPC UA server: connect, subscribe, read, close. There is nothing else.

In particular nothing here writes a value or calls a method, and nobody outside gets hold of the
client. Every wait has a time-out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

_AT_ONCE = 500
"""Items of one request; servers limit them (`MaxMonitoredItemsPerCall`, `MaxNodesPerRead`)."""

_KEEPALIVE_MS = 1000
_LIFETIME = 10
_FILTER = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)

Hear = Callable[[ua.PublishResult], Awaitable[None]]
Lose = Callable[[Exception], Coroutine[Any, Any, None]]


class Line:
    """A connection from `open` to `close`; whatever fails raises and leaves it to be closed."""

    def __init__(self, endpoint: str, request_s: float, lose: Lose) -> None:
        """Make one to an endpoint; `lose` is awaited when the connection is found lost."""
        self._request_s = request_s
        self._client = Client(endpoint, timeout=request_s)
        self._client.name = self._client.description = "meltwatch"
        self._client.connection_lost_callback = lose
        self._subscription = 0

    async def open(self, publishing_ms: int, hear: Hear) -> float:
        """Connect and subscribe, as yet to nothing; `hear` is awaited for every message.

        Returns after how many seconds without news the server sends a message all the same.

        While `hear` waits no further message is asked for: the server queues.
        """
        async with asyncio.timeout(4 * self._request_s):
            await self._client.connect()
        keepalive = max(1, _KEEPALIVE_MS // publishing_ms)
        asked = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=float(publishing_ms),
            RequestedMaxKeepAliveCount=keepalive,
            RequestedLifetimeCount=_LIFETIME * keepalive,
            PublishingEnabled=True,
        )
        async with asyncio.timeout(self._request_s):
            made = await self._client.uaclient.create_subscription(asked, hear)
        self._subscription = int(made.SubscriptionId)
        return float(made.RevisedPublishingInterval * made.RevisedMaxKeepAliveCount) / 1000

    async def watch(
        self, items: Sequence[tuple[int, ua.NodeId]], queue: int
    ) -> list[ua.StatusCode]:
        """Subscribe to (handle, node) and return what the server says to each.

        Every value counts, also an equal one with a new source time (StatusValueTimestamp),
        and when the queue is full the oldest goes, marked by the overflow bit.
        """
        said: list[ua.StatusCode] = []
        for start in range(0, len(items), _AT_ONCE):
            asked = ua.CreateMonitoredItemsParameters(
                SubscriptionId=ua.IntegerId(self._subscription),
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[_item(*one, queue) for one in items[start : start + _AT_ONCE]],
            )
            async with asyncio.timeout(self._request_s):
                made = await self._client.uaclient.create_monitored_items(asked)
            said += [one.StatusCode for one in made]
        return said

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[ua.DataValue]:
        """Return the nodes' values as the server has them now."""
        values: list[ua.DataValue] = []
        for start in range(0, len(nodes), _AT_ONCE):
            asked = ua.ReadParameters(
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                NodesToRead=[_value_of(node) for node in nodes[start : start + _AT_ONCE]],
            )
            async with asyncio.timeout(self._request_s):
                values += await self._client.uaclient.read(asked)
        return values

    async def close(self) -> None:
        """Close the session and the socket; a line that is dead already is let go."""
        try:
            async with asyncio.timeout(2 * self._request_s):
                await self._client.disconnect()
        except Exception as error:  # noqa: BLE001  # it is given up whatever ails it
            logging.getLogger(__name__).debug("closing a dead line: %r", error)
        finally:
            self._client.disconnect_socket()


def _item(handle: int, node: ua.NodeId, queue: int) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=_value_of(node),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(handle),
            SamplingInterval=0.0,
            Filter=_FILTER,
            QueueSize=ua.Counter(queue),
            DiscardOldest=True,
        ),
    )


def _value_of(node: ua.NodeId) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=node, AttributeId=ua.IntegerId(AttributeIds.Value))
