"""A network as a small file tells it: hosts, paths, and what the boxes on the way do. TOML; an unknown key is an error."""
import pathlib
import tomllib
from dataclasses import dataclass, field, fields

NETWORKS = pathlib.Path(__file__).parent / "networks"
MOST_PATHS = 4
FAMILIES = ("ipv4", "ipv6")
NATS = ("masquerade", "one-to-one", "port-forward")
STRIPS = ("all", "syn", "join", "add_addr")
BOXES = ("router", "far")


class Wrong(ValueError):
    """What a description says that cannot be, in words for the one who wrote it."""


@dataclass
class Path:
    rate_mbit: int | None = None  # on the client's access line, both ways; none: as fast as the machine is
    nat: str | None = None        # what the box does to this path's addresses: NATS
    strip: str | None = None      # which MPTCP options the box takes away: STRIPS


@dataclass
class Description:
    description: str = ""
    families: tuple = ("ipv4",)
    routers: int = 1              # 2: `router` and then `far`, so that there are capture points on both sides of a box
    box: str = "router"           # the one that translates and strips
    stranger: bool = False        # a third host, beside the client and the server
    path: list = field(default_factory=list)


def read(name):
    """By the name of a file in lab/networks, or by a file's path."""
    file = NETWORKS / f"{name}.toml"
    if not file.exists():
        file = pathlib.Path(name)
    try:
        return parse(file.read_text())
    except OSError as error:
        raise Wrong(f"{name}: {error.strerror}; there are {', '.join(names())}") from None
    except (Wrong, tomllib.TOMLDecodeError) as error:
        raise Wrong(f"{file}: {error}") from None


def names():
    return sorted(file.stem for file in NETWORKS.glob("*.toml"))


def parse(text):
    return of(tomllib.loads(text))


def of(table):
    made = Description(**known(Description, table, "the network"))
    made.path = [Path(**known(Path, path, f"path {number}")) for number, path in enumerate(made.path, 1)]
    check("paths", 1 <= len(made.path) <= MOST_PATHS, f"1 to {MOST_PATHS} of [[path]]")
    check("families", made.families and all(family in FAMILIES for family in made.families), f"some of {FAMILIES}")
    check("routers", made.routers in (1, 2), "1 or 2")
    check("box", made.box in BOXES[:made.routers], f"one of {BOXES[:made.routers]}")
    for path in made.path:
        check("nat", path.nat in (None, *NATS), f"one of {NATS}")
        check("strip", path.strip in (None, *STRIPS), f"one of {STRIPS}")
        check("rate_mbit", path.rate_mbit is None or 1 <= path.rate_mbit <= 100_000, "1 to 100000")
    return made


def known(kind, table, where):
    keys = {one.name for one in fields(kind)}
    if unknown := sorted(set(table) - keys):
        raise Wrong(f"{where}: unknown key {unknown[0]}; there are {', '.join(sorted(keys))}")
    return table


def check(key, right, wanted):
    if not right:
        raise Wrong(f"{key}: {wanted}")
