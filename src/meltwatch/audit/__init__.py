"""The hash-chained record of what people did: written in the transaction of the change it records.

One chain for each database. A row covers the row before it, so a changed, missing or added row is
found; the two chains carry each other's heads, so neither can be made anew alone.
"""
