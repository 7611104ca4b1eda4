"""An aluminium deep-well (DC) casting well with a fixed holding furnace.

plant    the parts put together, second by second
cast     the phases of a cast
water    the mould water: pump, pressure, flow, temperatures
metal    launder and table levels
hoist    platform and ropes
gas      the burner gas
plc      the well's own interlocks
"""
