"""Instruments to sample batches, at the plant; and stories, which play instruments.

The first room of the journey. It knows nothing of the server and never writes to an instrument.

    opcua    an OPC UA server's items, only ever read; a player that is such a server
    play     a recorded CSV file as a source (recording)
    simulate two seeded plants in event time, with accidents
    story    a story file as signals, deliveries and what must come out
"""
