"""OPC UA: a server's nodes as batches of rows; and a server that plays rows.

The source reads, subscribes and closes: it has no path that writes or calls.

    port      what a source is asked for (`OpcUa`), and what it gives (`Batch`, `Report`)
    reading   one value of the protocol as a number, a quality and an instant
    run       one connection's messages as batches: instants, completeness, heartbeats
    line      one connection: connect, subscribe, read, close
    source    lines after each other, with back-off: an iterator of batches
    player    a real server that plays rows in scaled time, for demonstrations and tests
"""

from meltwatch.collect.opcua.player import Player, rows_by_second
from meltwatch.collect.opcua.port import Batch, OpcUa, Report, Scaling
from meltwatch.collect.opcua.source import OpcUaSource

__all__ = ["Batch", "OpcUa", "OpcUaSource", "Player", "Report", "Scaling", "rows_by_second"]
