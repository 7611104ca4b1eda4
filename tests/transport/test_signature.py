"""Digests and signatures: published vectors, openssl, and what a wrong one does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from meltwatch.model.ids import SourceId
from meltwatch.transport.signature import PrivateKey, PublicKey, SharedSecret, digest, sign, verify
from tests.transport.given import GATEWAY, PRIVATE, SECRET


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # GB/T 32905-2016, annex A, examples 1 and 2
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_is_that_of_the_standard(message: bytes, expected: str) -> None:
    assert digest(message).hex() == expected


def test_ed25519_is_that_of_rfc_8032() -> None:
    """Section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = PrivateKey(gateway=GATEWAY, seed=seed)
    told = sign(key, bytes.fromhex("72"))
    assert key.public().public.hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert told == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify(key.public(), bytes.fromhex("72"), told)


@pytest.mark.parametrize("key", [SECRET, PRIVATE], ids=["hmac-sm3", "ed25519"])
def test_a_signature_is_of_one_key_over_one_message(key: SharedSecret | PrivateKey) -> None:
    public = key.public() if isinstance(key, PrivateKey) else key
    told = sign(key, b"a frame")
    assert verify(public, b"a frame", told)
    assert verify(public, b"a frame", told.upper())
    assert not verify(public, b"another", told)
    assert not verify(public, b"a frame", told[:-1] + ("0" if told[-1] != "0" else "1"))
    for malformed in ("", "zz", told[:-2], told + "00", f" {told[1:]}", "é" * len(told)):
        assert not verify(public, b"a frame", malformed)


def test_a_key_of_the_other_algorithm_takes_no_signature_of_this_one() -> None:
    assert not verify(PRIVATE.public(), b"a frame", sign(SECRET, b"a frame"))
    assert not verify(SECRET, b"a frame", sign(PRIVATE, b"a frame"))


def test_keys_do_not_show_their_secrets() -> None:
    key = SharedSecret(gateway=SourceId("gw"), secret=b"hush")
    assert "hush" not in f"{key} {key!r} {[key]}"
    assert repr(PRIVATE.seed) not in f"{PRIVATE} {PRIVATE!r}"


def test_a_public_key_of_another_length_is_refused_when_it_is_configured() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        PublicKey(gateway=GATEWAY, public=bytes(31))


def test_openssl_gives_the_same_hmac(tmp_path: Path) -> None:
    body = tmp_path / "frame.json"
    body.write_bytes(b'{"v": 1}\n')
    told = run("dgst", "-sm3", "-hmac", SECRET.secret.decode(), "-r", str(body))
    assert told.split()[0] == sign(SECRET, body.read_bytes())


def test_openssl_gives_the_same_ed25519(tmp_path: Path) -> None:
    pem, body = tmp_path / "key.pem", tmp_path / "frame.json"
    body.write_bytes(b'{"v": 1}\n')
    run("genpkey", "-algorithm", "ed25519", "-out", str(pem))
    run("pkey", "-in", str(pem), "-pubout", "-outform", "DER", "-out", str(tmp_path / "public"))
    how = ("-sign", "-inkey", str(pem), "-rawin", "-in", str(body))
    run("pkeyutl", *how, "-out", str(tmp_path / "signature"))
    public = PublicKey(gateway=GATEWAY, public=(tmp_path / "public").read_bytes()[-32:])
    assert verify(public, body.read_bytes(), (tmp_path / "signature").read_bytes().hex())


def run(*words: str) -> str:
    """Return what openssl prints."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program on this machine: our signatures are not compared with it")
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout
