"""How people and gateways meet the node: HTTP, live stream, sign-in, rights, problems in words.

The last room of the journey. It holds no domain rule: it checks who asks, hands on, and words the
answer in Chinese and English.

    intake   frames over HTTP, as a bare ASGI callable
    words    sentences for the keys of problems
    problem  a refusal as problem+json
"""
