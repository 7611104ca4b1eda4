"""The demonstration: two simulated plants, their gateways and a server, in one command."""
