"""The nouns: ids, instants, quality, samples, plants, conditions and the records of the log.

Every room may import this one; this one imports no other room. Nothing here does anything but
hold, check its own shape and convert.
"""
