"""A steel works: one converter with gas recovery into a holder, a furnace top, CO detectors.

plant        the parts put together, second by second
heat         the stages of a heat: charging, blowing, tapping
lance        the water-cooled oxygen lance
recovery     converter gas, its oxygen, and the holder
top          the blast furnace's top pressure
monoxide     CO plumes over three detectors
plc          the works' own interlocks
"""
