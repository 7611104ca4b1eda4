"""A long run of real gateways, core and sealer, and of what befalls them.

Kills, pauses, a full disk, a clock that jumps: nothing acknowledged may be lost or doubled.
"""
