"""Who gets in, for how long, and how often one may try."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from meltwatch.register.audit import read_audit
from meltwatch.register.errors import AccountRefused, SignInRefused, TooManyTries
from meltwatch.register.register import IDLE_MS, LASTS_MS, TRIES_A_LOGIN, TRIES_MS, Register
from tests.register.people import COUNTY, LI, MINUTE, NOW, OPERATOR, PASSWORD

HERE = "10.0.0.9"


@pytest.fixture(autouse=True)
def _people(register: Register) -> None:
    register.add_account(LI, PASSWORD, OPERATOR, NOW)


def test_the_right_password_begins_a_session_that_says_who_it_is(register: Register) -> None:
    token, account = register.sign_in("li", PASSWORD, HERE, NOW)
    assert account == LI
    assert register.session(token, NOW + MINUTE) == LI
    assert register.session("another token", NOW) is None


@pytest.mark.parametrize(("login", "password"), [("li", "wrong password"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(
    register: Register, login: str, password: str
) -> None:
    with pytest.raises(SignInRefused) as refused:
        register.sign_in(login, password, HERE, NOW)
    assert type(refused.value) is SignInRefused


def test_a_disabled_account_gets_the_answer_of_an_unknown_one(register: Register) -> None:
    register.disable_account("li", OPERATOR, NOW)
    with pytest.raises(SignInRefused) as refused:
        register.sign_in("li", PASSWORD, HERE, NOW)
    assert type(refused.value) is SignInRefused


@pytest.mark.parametrize("change", ["another password", "disabled"])
def test_what_changes_while_a_password_is_looked_at_counts(
    register: Register, path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    fits = register._passwords.fits

    def fits_and_then(password: str, kept: str | None) -> bool:
        found = fits(password, kept)
        if change == "disabled":
            register.disable_account("li", OPERATOR, NOW)
        else:
            register.set_password("li", "another long one", OPERATOR, NOW)
        return found

    monkeypatch.setattr(register._passwords, "fits", fits_and_then)
    with pytest.raises(SignInRefused):
        register.sign_in("li", PASSWORD, HERE, NOW)
    assert list(read_audit(path))[-1].deed.outcome == "sign_in.refused"


def test_after_five_wrong_ones_even_the_right_password_waits(register: Register) -> None:
    for second in range(TRIES_A_LOGIN):
        with pytest.raises(SignInRefused):
            register.sign_in("li", "wrong password", f"10.0.0.{second}", NOW + second * 1000)
    with pytest.raises(TooManyTries) as refused:
        register.sign_in("li", PASSWORD, HERE, NOW + 10_000)
    assert refused.value.retry_after_s == (TRIES_MS - 10_000) // 1000
    register.sign_in("li", PASSWORD, HERE, NOW + TRIES_MS)


def test_many_tries_at_once_are_counted_before_they_are_made(register: Register) -> None:
    def attempt(_: int) -> type[Exception]:
        with pytest.raises(SignInRefused) as refused:
            register.sign_in("li", "wrong password", HERE, NOW)
        return type(refused.value)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert answers.count(SignInRefused) == TRIES_A_LOGIN
    assert answers.count(TooManyTries) == 8 - TRIES_A_LOGIN


def test_one_place_that_tries_many_logins_waits_too(register: Register) -> None:
    seen: list[type[Exception]] = []
    for number in range(21):
        with pytest.raises(SignInRefused) as refused:
            register.sign_in(f"guess-{number}", "wrong password", HERE, NOW)
        seen.append(type(refused.value))
    assert seen == [SignInRefused] * 20 + [TooManyTries]


def test_a_session_ends_when_nobody_uses_it(register: Register) -> None:
    token, _ = register.sign_in("li", PASSWORD, HERE, NOW)
    assert register.session(token, NOW + IDLE_MS - 1) == LI
    assert register.session(token, NOW + 2 * IDLE_MS - 2) == LI, "it was used in between"
    assert register.session(token, NOW + 4 * IDLE_MS) is None


def test_a_session_in_use_lasts_a_shift_and_no_longer(register: Register) -> None:
    token, _ = register.sign_in("li", PASSWORD, HERE, NOW)
    for minute in range(0, LASTS_MS // MINUTE, 10):
        assert register.session(token, NOW + minute * MINUTE) == LI
    assert register.session(token, NOW + LASTS_MS) is None


def test_signing_out_ends_the_session(register: Register) -> None:
    token, _ = register.sign_in("li", PASSWORD, HERE, NOW)
    register.sign_out(token, NOW)
    assert register.session(token, NOW) is None
    register.sign_out(token, NOW)


def test_a_new_password_and_a_disabled_account_end_what_is_open(register: Register) -> None:
    token, _ = register.sign_in("li", PASSWORD, HERE, NOW)
    register.set_password("li", "another long one", OPERATOR, NOW)
    assert register.session(token, NOW) is None
    token, _ = register.sign_in("li", "another long one", HERE, NOW)
    register.disable_account("li", OPERATOR, NOW)
    assert register.session(token, NOW) is None
    assert register.accounts() == []
    with pytest.raises(SignInRefused):
        register.sign_in("li", "another long one", HERE, NOW)


def test_neither_token_nor_password_stand_in_the_file(register: Register, path: Path) -> None:
    token, _ = register.sign_in("li", PASSWORD, HERE, NOW)
    stored = b"".join(one.read_bytes() for one in path.parent.glob("register.db*"))
    assert "李工".encode() in stored
    assert token.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert path.stat().st_mode & 0o077 == 0, "the file is its owner's alone"


@pytest.mark.parametrize(
    ("changed", "password", "keys"),
    [
        ({"login": "li"}, PASSWORD, ["account.taken"]),
        ({"login": "no spaces"}, PASSWORD, ["account.login"]),
        ({"name": ""}, "short", ["account.name", "account.password_length"]),
        ({"role": "boss"}, PASSWORD, ["account.role"]),
        ({"enterprise": None}, PASSWORD, ["account.enterprise_missing"]),
        ({"region": "370881"}, PASSWORD, ["account.region_needless"]),
        (
            {"role": "county"},
            PASSWORD,
            ["account.enterprise_needless", "account.region"],
        ),
        ({"role": "city", "enterprise": None, "region": "370881"}, PASSWORD, ["account.region"]),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_every_reason(
    register: Register, changed: dict[str, object], password: str, keys: list[str]
) -> None:
    wanted = msgspec.structs.replace(LI, **{"login": "wang", **changed})
    with pytest.raises(AccountRefused) as refused:
        register.add_account(wanted, password, OPERATOR, NOW)
    assert [one.key for one in refused.value.problems] == keys
    assert register.accounts() == [LI]


def test_officers_have_regions_and_the_ministry_has_all(register: Register) -> None:
    register.add_account(COUNTY, PASSWORD, OPERATOR, NOW)
    assert register.accounts() == [COUNTY, LI]
