"""A gateway's file: every mistake is told with its place and its fix, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meltwatch.apps.cli import main
from meltwatch.apps.gateway_file import GatewayRefused, given_of, problem_of, problem_of_source
from meltwatch.apps.node import node_of
from meltwatch.collect.opcua import Report as SourceReport
from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.present.words import words_of
from meltwatch.transport.lane import Report
from meltwatch.transport.outbox import Outbox, Signer
from meltwatch.transport.signature import PrivateKey, PublicKey, SharedSecret, sign, verify

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = "only for trials and tests"
SEED = "11" * 32
GATEWAY = SourceId("gw-1")


def given(tmp_path: Path, **changes: Any) -> Path:
    """Write a sound file with changes; `opcua__name` changes a field of the source."""
    told: dict[str, Any] = {
        "gateway": GATEWAY,
        "server": "http://127.0.0.1:8701",
        "key": {"id": "k1", "hmac_sm3": SHARED},
        "outbox": "gw-1.outbox",
        "opcua": {
            "endpoint": "opc.tcp://127.0.0.1:4840",
            "mapping": {"well-1/flow": "ns=2;s=Well1.Flow"},
        },
    }
    for name, value in changes.items():
        place, _, field = name.rpartition("__")
        (told[place] if place else told)[field] = value
    path = tmp_path / "gateway.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


def refused(path: Path) -> list[Problem]:
    with pytest.raises(GatewayRefused) as caught:
        given_of(path)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("place", "key", "changes"),
    [
        ("gateway", "no_name", {"gateway": "a/b"}),
        ("server", "gateway.server", {"server": "127.0.0.1:8701"}),
        ("server", "gateway.server", {"server": "http://node/under/a/path"}),
        ("server", "gateway.server", {"server": "http://node:port"}),
        ("server", "gateway.server", {"server": "http://me:secret@node"}),
        ("key/id", "gateway.key_id", {"key__id": "k 1"}),
        ("key", "gateway.one_key", {"key": {"id": "k1"}}),
        ("key", "gateway.one_key", {"key": {"id": "k1", "hmac_sm3": SHARED, "ed25519": SEED}}),
        ("key", "secret_too_short", {"key__hmac_sm3": "short"}),
        ("key", "gateway.seed", {"key": {"id": "k1", "ed25519": "11" * 31}}),
        ("key", "gateway.seed", {"key": {"id": "k1", "ed25519": "no hexadecimal"}}),
        ("outbox", "gateway.no_path", {"outbox": ""}),
        ("outbox_mb", "not_positive", {"outbox_mb": 0}),
        ("outbox_days", "not_positive", {"outbox_days": float("inf")}),
        ("frame_s", "gateway.outside", {"frame_s": 60.0}),
        ("frame_s", "gateway.outside", {"frame_s": float("nan")}),
        ("backoff_s", "not_positive", {"backoff_s": 0.0}),
        ("backoff_most_s", "gateway.backoff_reversed", {"backoff_most_s": 0.1}),
        ("opcua/endpoint", "gateway.endpoint", {"opcua__endpoint": "http://plc"}),
        ("opcua/endpoint", "gateway.endpoint", {"opcua__endpoint": "opc.tcp://plc:99999"}),
        ("opcua/mapping", "gateway.no_points", {"opcua__mapping": {}}),
        ("opcua/mapping/a/b", "node_id_malformed", {"opcua__mapping": {"a/b": "Well1.Flow"}}),
        ("opcua/scaling/a/b", "unknown_point", {"opcua__scaling": {"a/b": {"factor": 2.0}}}),
        (
            "opcua/scaling/well-1/flow",
            "not_finite",
            {"opcua__scaling": {"well-1/flow": {"factor": float("nan")}}},
        ),
        ("opcua/clock_node", "recorded_needs_clock_node", {"opcua__domain": "recorded"}),
        ("opcua/heartbeat_s", "heartbeat_too_slow", {"opcua__least_stale_s": 6.0}),
        ("opcua/heartbeat_s", "not_positive", {"opcua__heartbeat_s": float("nan")}),
        ("opcua/backoff_most_s", "not_positive", {"opcua__backoff_most_s": 0.0}),
        ("opcua/settle_ms", "negative", {"opcua__settle_ms": -1}),
        ("opcua/silence_s", "shorter_than_two_keepalives", {"opcua__silence_s": 1.0}),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, place: str, key: str, changes: dict[str, Any]) -> None:
    path = given(tmp_path, **changes)
    assert [(one.place, one.key) for one in refused(path)] == [(f"{path}/{place}", key)]


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("unknown field `sever`", {"sever": "http://node"}),
        ("unknown field `heartbeat` - at `$.opcua`", {"opcua__heartbeat": 3.0}),
        ("unknown field `secret` - at `$.key`", {"key__secret": SHARED}),
        ("Invalid enum value 'old' - at `$.opcua.domain`", {"opcua__domain": "old"}),
        ("Expected `float`, got `str` - at `$.frame_s`", {"frame_s": "soon"}),
    ],
)
def test_what_is_of_another_shape_is_malformed(
    tmp_path: Path, why: str, changes: dict[str, Any]
) -> None:
    (one,) = refused(given(tmp_path, **changes))
    assert one.key == "malformed"
    assert why in str(one.params["why"])


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = given(tmp_path, server="node", key__hmac_sm3="short", opcua__mapping={"a/b": "?"})
    keys = [one.key for one in refused(path)]
    assert keys == ["gateway.server", "node_id_malformed", "secret_too_short"]


def test_a_key_told_twice_is_refused(tmp_path: Path) -> None:
    path = given(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "outbox: other\n", encoding="utf-8")
    (one,) = refused(path)
    assert "comes twice" in str(one.params["why"])


@pytest.mark.parametrize("file", ["gateway.yaml", "no-such-file.yaml"])
def test_the_command_says_it_in_both_languages(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given(tmp_path, opcua__mapping={})
    assert main(["gateway", "--config", str(tmp_path / file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"meltwatch: {tmp_path / file}")
    assert " / " in line
    assert any("\u4e00" <= letter <= "\u9fff" for letter in line)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SHARED}\n", encoding="utf-8")
    told = given_of(given(tmp_path, key={"id": "k1", "hmac_sm3_file": "secret"}))
    key = SharedSecret(gateway=GATEWAY, secret=SHARED.encode())
    assert told.settings.server.signer == Signer("k1", key)
    assert told.settings.outbox == tmp_path / "gw-1.outbox"
    missing = given(tmp_path, key={"id": "k1", "ed25519_file": "none"})
    assert [(one.place, one.key) for one in refused(missing)] == [
        (str(tmp_path / "none"), "unreadable")
    ]


def test_an_ed25519_key_signs_what_its_public_half_proves(tmp_path: Path) -> None:
    key = given_of(given(tmp_path, key={"id": "k1", "ed25519": SEED})).settings.server.signer.key
    assert isinstance(key, PrivateKey)
    public = key.public()
    assert isinstance(public, PublicKey)
    assert verify(public, b"frame", sign(key, b"frame"))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    told = given_of(given(tmp_path))
    assert SHARED not in repr(told)


def test_the_example_fits_the_example_of_a_node() -> None:
    told, node = given_of(EXAMPLES / "gateway.yaml"), node_of(EXAMPLES / "node.yaml")
    signer = told.settings.server.signer
    assert node.keys[signer.key_id] == signer.key
    (plant,) = node.plants.values()
    points = {code: one for code, one in plant.points.items() if one.source == GATEWAY}
    assert told.opcua.mapping.keys() == points.keys()
    stale = [one.stale_s for one in points.values() if one.stale_s is not None]
    assert told.opcua.least_stale_s == min(stale)


@pytest.mark.parametrize("trouble", ["in_use", "of_another", "unknown_format", "unavailable"])
def test_an_outbox_that_cannot_be_used_is_said(
    tmp_path: Path, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, outbox = given(tmp_path), tmp_path / "gw-1.outbox"
    owner = SourceId("another" if trouble == "of_another" else GATEWAY)
    signer = Signer("k1", SharedSecret(gateway=owner, secret=b"s"))
    if trouble == "unknown_format":
        outbox.write_bytes(b"")
    elif trouble == "unavailable":
        path = given(tmp_path, outbox="no/such/folder/outbox")
    else:
        held = Outbox(outbox, owner, signer)
        if trouble == "of_another":
            held.close()
    code = main(["gateway", "--config", str(path)])
    if trouble == "in_use":
        held.close()
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words_of(Problem("", f"outbox.{trouble}", {}))[0] not in {"", line}
    assert line.startswith(f"meltwatch: {tmp_path}")


def test_a_report_of_the_source_has_words_for_its_end() -> None:
    began = SourceReport(key="node", point="a/b", params={"node": "ns=2;s=X", "status": "Bad"})
    over = SourceReport(key="node", point="a/b", over=True)
    assert words_of(problem_of_source(began))[1].startswith("The server refuses the node ns=2;s=X")
    assert problem_of_source(began).place == "a/b"
    assert words_of(problem_of_source(over))[1] == "The node is read again"
    report = Report(EpochId("e"), "session.refused", {"reason": "frame.key_unknown"})
    assert problem_of(report).place == "epoch e"
    assert "frame.key_unknown" in words_of(problem_of(report))[1]
