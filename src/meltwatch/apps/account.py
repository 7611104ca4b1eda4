"""`meltwatch account`: who may sign in. For the operator of the node, at its own machine."""

from __future__ import annotations

import argparse
import getpass
import sys
from contextlib import closing
from pathlib import Path
from typing import get_args

from meltwatch.clock import SystemClock
from meltwatch.errors import Problem
from meltwatch.model.reason import Params
from meltwatch.register.account import Account, Doer, Role
from meltwatch.register.errors import AccountRefused, RegisterUnavailable
from meltwatch.register.register import Register

REGISTER = "register.db"


def add_account_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands to the command line."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    add = commands.add_parser("add", help="let a person in")
    add.add_argument("--name", required=True)
    add.add_argument("--role", required=True, choices=get_args(Role))
    scope = add.add_mutually_exclusive_group()
    scope.add_argument("--enterprise", help="for shift, safety, automation")
    scope.add_argument("--region", help="for county (6 digits), city (4), province (2)")
    password = commands.add_parser("password", help="give a person another password")
    disable = commands.add_parser("disable", help="let a person in no more")
    shown = commands.add_parser("list", help="show who may sign in")
    for one in (add, password, disable):
        one.add_argument("--login", required=True)
        one.add_argument("--why", default="", help="for the audit record")
    for one in (add, password):
        one.add_argument(
            "--password-stdin", action="store_true", help="read it from standard input"
        )
    for one in (add, password, disable, shown):
        one.add_argument("--data", type=Path, required=True, help="the directory that serve uses")
    add.set_defaults(run=_add)
    password.set_defaults(run=_password)
    disable.set_defaults(run=_disable)
    shown.set_defaults(run=_list)


def _add(options: argparse.Namespace) -> int:
    account = Account(
        login=options.login,
        name=options.name,
        role=options.role,
        enterprise=options.enterprise,
        region=options.region,
    )
    told = _told_password(options)
    with closing(_open(options.data)) as register:
        register.add_account(account, told, _doer(options), SystemClock().wall_ms())
    print(f"meltwatch: 已添加 / added {account.login}")
    return 0


def _password(options: argparse.Namespace) -> int:
    told = _told_password(options)
    with closing(_open(options.data, must_exist=True)) as register:
        register.set_password(options.login, told, _doer(options), SystemClock().wall_ms())
    print(f"meltwatch: 密码已更换,原会话已结束 / another password, sessions ended: {options.login}")
    return 0


def _disable(options: argparse.Namespace) -> int:
    with closing(_open(options.data, must_exist=True)) as register:
        register.disable_account(options.login, _doer(options), SystemClock().wall_ms())
    print(f"meltwatch: 已停用 / disabled {options.login}")
    return 0


def _list(options: argparse.Namespace) -> int:
    with closing(_open(options.data, must_exist=True)) as register:
        for one in register.accounts():
            scope = one.enterprise or one.region or "*"
            print(f"{one.login:<24} {one.role:<12} {scope:<24} {one.name}")
    return 0


def _open(data: Path, *, must_exist: bool = False) -> Register:
    if must_exist and not (data / REGISTER).exists():
        raise AccountRefused([Problem(str(data / REGISTER), "register.missing")])
    try:
        return Register.open(data / REGISTER)
    except RegisterUnavailable as error:
        told: Params = {"reason": str(error)}
        problem = Problem(str(data / REGISTER), "register.unavailable", told)
        raise AccountRefused([problem]) from error


def _told_password(options: argparse.Namespace) -> str:
    """Return the password: twice from a terminal, or a line of standard input."""
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    try:
        first = getpass.getpass("密码 / password: ")
        again = getpass.getpass("再次输入 / again: ")
    except EOFError as error:
        raise AccountRefused([Problem("password", "account.no_terminal")]) from error
    if again != first:
        raise AccountRefused([Problem("password", "account.passwords_differ")])
    return first


def _doer(options: argparse.Namespace) -> Doer:
    return Doer(who=getpass.getuser(), role="operator", node="", origin="terminal", why=options.why)
