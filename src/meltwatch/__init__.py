"""Meltwatch (熔哨): safety risk monitoring and early warning; it watches and never controls."""

__version__ = "0.1.0"
