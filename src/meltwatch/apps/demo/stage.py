"""What a demonstration is set up with: files, keys, ports and accounts in one directory."""

from __future__ import annotations

import secrets
import shutil
import socket
from contextlib import closing
from pathlib import Path

import msgspec
import yaml

from meltwatch.apps.account import REGISTER
from meltwatch.apps.simulate import Simulate, mapping_of
from meltwatch.collect.opcua.player import node_of
from meltwatch.collect.simulate.accident import Accident, LanceLeak, WaterLost
from meltwatch.collect.simulate.point import Kind
from meltwatch.model.ids import UnitId
from meltwatch.register.account import Account, Doer
from meltwatch.register.register import Register

HERE = Path(__file__).parent
HOST = "127.0.0.1"
REGION = "370881"
READY = "stage.json"
SECRET_BYTES = 24
PASSWORD_BYTES = 6
READER_WAIT_S = 60.0


class DemoPlant(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two plants: its names in `node.yaml`, and what will happen to it.

    Accidents count from the first one, which comes `Stage.calm_s` after the plants are first seen.
    """

    enterprise: str
    kind: Kind
    unit: UnitId
    gateway: str
    key: str
    login: str
    name: str
    accidents: tuple[Accident, ...]


PLANTS = (
    DemoPlant(
        enterprise="demo-aluminium",
        kind="dc-fixed",
        unit=UnitId("well-1"),
        gateway="gw-aluminium",
        key="demo-aluminium-1",
        login="aluminium",
        name="示例铝业 安全员",
        accidents=(WaterLost(start_s=0, lasts_s=60, drain="stays_closed"),),
    ),
    DemoPlant(
        enterprise="demo-steel",
        kind="steel",
        unit=UnitId("works-1"),
        gateway="gw-steel",
        key="demo-steel-1",
        login="steel",
        name="示例特钢 安全员",
        accidents=(LanceLeak(start_s=180),),
    ),
)


class SignIn(msgspec.Struct, frozen=True):
    """A login with its password, made anew for each demonstration."""

    login: str
    password: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A demonstration's directory and addresses.

    `port`: of the screens; `intake`: where gateways send; `instruments`: of the OPC UA servers, by
    enterprise. `sign_ins` by enterprise, and `county`.
    """

    directory: Path
    port: int
    intake: int
    instruments: dict[str, int]
    calm_s: float
    secrets: dict[str, str]
    sign_ins: dict[str, SignIn]

    @property
    def address(self) -> str:
        """Where a browser goes."""
        return f"http://{HOST}:{self.port}"

    @property
    def node(self) -> Path:
        """The node's file."""
        return self.directory / "node.yaml"

    @property
    def data(self) -> Path:
        """The server's directory."""
        return self.directory / "data"

    def gateway(self, enterprise: str) -> Path:
        """Return the gateway's file of an enterprise."""
        return self.directory / f"gateway-{enterprise}.yaml"

    def ledger(self, enterprise: str) -> Path:
        """Return the simulator's own ledger."""
        return self.directory / f"told-{enterprise}.csv"

    def history(self, enterprise: str) -> Path:
        """Return where an enterprise's segments are."""
        return self.data / "history" / enterprise

    def keep(self) -> None:
        """Write all this down for programs, for this user only: the demonstration is ready."""
        making = self.directory / "stage.json.new"
        making.touch(mode=0o600)
        making.write_bytes(msgspec.json.encode(self, enc_hook=str))
        making.rename(self.directory / READY)

    @classmethod
    def kept(cls, directory: Path) -> Stage | None:
        """Return what a demonstration in a directory was set up with; None before it is ready."""
        path = directory / READY
        if not path.exists():
            return None
        return msgspec.json.decode(path.read_bytes(), type=cls, dec_hook=lambda _, told: Path(told))

    def simulate(self, plant: DemoPlant) -> Simulate:
        """Return what a plant's simulator is told."""
        return Simulate(
            kind=plant.kind,
            unit=plant.unit,
            port=self.instruments[plant.enterprise],
            accidents=tuple(
                msgspec.structs.replace(one, start_s=one.start_s + self.calm_s)
                for one in plant.accidents
            ),
            ledger=self.ledger(plant.enterprise),
            wait_s=READER_WAIT_S,
        )


def set_up(directory: Path, port: int, calm_s: float) -> Stage:
    """Write the files of a demonstration; keys, passwords and the other ports are made anew."""
    stage = Stage(
        directory=directory,
        port=port,
        intake=free_port(),
        instruments={plant.enterprise: free_port() for plant in PLANTS},
        calm_s=calm_s,
        secrets={plant.key: secrets.token_hex(SECRET_BYTES) for plant in PLANTS},
        sign_ins={plant.enterprise: _sign_in(plant.login) for plant in PLANTS}
        | {"county": _sign_in("county")},
    )
    stage.data.mkdir(parents=True, exist_ok=True)
    for name in ("dc-fixed.yaml", "steel.yaml"):
        shutil.copy(HERE / name, directory / name)
    _write(stage.node, _node(stage))
    for plant in PLANTS:
        _write(stage.gateway(plant.enterprise), _gateway(stage, plant))
    return stage


def open_accounts(stage: Stage, now: int) -> None:
    """Let one safety officer of each plant in, and an officer of the county."""
    demo = Doer(who="demo", role="operator", node="demo-county", origin="demo")
    with closing(Register.open(stage.data / REGISTER)) as register:
        for plant in PLANTS:
            told = stage.sign_ins[plant.enterprise]
            account = Account(
                login=told.login, name=plant.name, role="safety", enterprise=plant.enterprise
            )
            register.add_account(account, told.password, demo, now)
        told = stage.sign_ins["county"]
        county = Account(login=told.login, name="示例县应急局", role="county", region=REGION)
        register.add_account(county, told.password, demo, now)


def is_free(port: int) -> bool:
    """Return whether a port of loopback can be taken."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _sign_in(login: str) -> SignIn:
    return SignIn(login, f"demo-{secrets.token_hex(PASSWORD_BYTES)}")


def _node(stage: Stage) -> object:
    node = yaml.safe_load((HERE / "node.yaml").read_text(encoding="utf-8"))
    for enterprise in node["enterprises"].values():
        for gateway in enterprise["gateways"].values():
            gateway["key"]["hmac_sm3"] = stage.secrets[gateway["key"]["id"]]
    return node


def _gateway(stage: Stage, plant: DemoPlant) -> object:
    port = stage.instruments[plant.enterprise]
    return {
        "gateway": plant.gateway,
        "server": f"http://{HOST}:{stage.intake}",
        "key": {"id": plant.key, "hmac_sm3": stage.secrets[plant.key]},
        "outbox": f"outbox-{plant.enterprise}.sqlite",
        "opcua": {
            "endpoint": f"opc.tcp://{HOST}:{port}/meltwatch",
            "domain": "recorded",  # a played source: its clock node says what is complete
            "clock_node": node_of("clock"),
            "mapping": dict(mapping_of(plant.kind, plant.unit)),
        },
    }


def _write(path: Path, told: object) -> None:
    """Write a file that holds keys: nobody else reads it."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(told, allow_unicode=True, sort_keys=False), encoding="utf-8")
