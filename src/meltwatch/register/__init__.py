"""The records that the node keeps of people and of what they ask for: `register.db`.

Accounts, sessions, orders on their way to the core; later the plant's own records. Whatever a
person changes is written together with its row of the audit chain `web`, or not at all.
"""
