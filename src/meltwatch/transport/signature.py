"""Who sent it: keys, signatures and the digest of a message.

A signature is over the message's exact bytes: the body of a frame; the path of a request that has
no body. The algorithm belongs to the key, so that no sender can choose a weaker one. Signatures
are written in hexadecimal, in which `openssl` prints them. Nobody here knows where keys are kept.
"""

from __future__ import annotations

import re

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from meltwatch.model.ids import SourceId

DIGEST_BYTES = 32
_ED25519_KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-fA-F]+")


class SharedSecret(msgspec.Struct, frozen=True, kw_only=True, tag="hmac-sm3"):
    """HMAC-SM3 (GB/T 32905 in RFC 2104): both sides know the secret.

    `secret`: its bytes, those of the text that `openssl dgst -sm3 -hmac TEXT` is given.
    """

    gateway: SourceId
    secret: bytes

    signature_digits = 64

    def __repr__(self) -> str:
        """Return the key without its secret, for logs."""
        return f"SharedSecret(gateway={self.gateway!r})"


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, tag="ed25519"):
    """Ed25519 (RFC 8032) as the receiver knows it: 32 raw bytes; no secret to lose."""

    gateway: SourceId
    public: bytes

    signature_digits = 128

    def __post_init__(self) -> None:
        """Refuse what is no key, when the key is configured and not at its first use."""
        if len(self.public) != _ED25519_KEY_BYTES:
            raise ValueError(f"{len(self.public)} bytes, {_ED25519_KEY_BYTES} are wanted")


class PrivateKey(msgspec.Struct, frozen=True, kw_only=True):
    """Ed25519 as the sender knows it: the seed, 32 raw bytes."""

    gateway: SourceId
    seed: bytes

    def public(self) -> PublicKey:
        """Return what the receiver must know."""
        raw = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return PublicKey(gateway=self.gateway, public=raw)

    def __repr__(self) -> str:
        """Return the key without its seed, for logs."""
        return f"PrivateKey(gateway={self.gateway!r})"


Key = SharedSecret | PublicKey
"""What a receiver checks with."""


def digest(message: bytes) -> bytes:
    """Return the SM3 digest (GB/T 32905-2016), 32 bytes."""
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(message)
    return sm3.finalize()


def sign(key: SharedSecret | PrivateKey, message: bytes) -> str:
    """Return the signature of the message in lower-case hexadecimal."""
    if isinstance(key, PrivateKey):
        return Ed25519PrivateKey.from_private_bytes(key.seed).sign(message).hex()
    return _mac(key, message).finalize().hex()


def is_signature(key: Key, told: str) -> bool:
    """Tell whether a text has the form of this key's signatures."""
    return len(told) == key.signature_digits and _HEX.fullmatch(told) is not None


def verify(key: Key, message: bytes, told: str) -> bool:
    """Tell whether the signature is this key's over the message; takes the same time if not."""
    if not is_signature(key, told):
        return False
    signature = bytes.fromhex(told)
    try:
        if isinstance(key, PublicKey):
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            _mac(key, message).verify(signature)
    except InvalidSignature:
        return False
    return True


def _mac(key: SharedSecret, message: bytes) -> hmac.HMAC:
    mac = hmac.HMAC(key.secret, hashes.SM3())
    mac.update(message)
    return mac
