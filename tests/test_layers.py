"""The house: who may import whom, and who alone may print, exit, or read the environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge

HOUSE = Path(bridge.__file__).parent

# Each line is a floor; a module imports from floors above its own, and from its own floor.
FLOORS = (
    ("errors",),
    ("model",),
    ("system",),
    ("sqltypes",),
    ("capture",),
    ("beacon", "settings", "secrets", "readers", "web"),
    ("collect", "convert", "package", "runs", "deliver", "schedule", "signin", "tables", "complete"),
    (
        "workplace",
        "stages",
        "pipeline",
        "doctor",
        "many",
        "expiry",
        "installation",
        "status",
        "enrolment",
        "position",
        "difference",
    ),
    ("show",),
    ("assembly",),
    ("desk",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
DATA = {"ps_scripts", "importprocedures"}  # folders of files that travel with the package

# A module outside the standard library, or of one operating system only, and where alone it may be imported.
ALONE = {
    "pypsrp": (),
    "msal": ("signin/",),
    "requests": ("web/session.py", "collect/graph/", "signin/"),
    "lxml": ("readers/", "package/manifest.py", "schedule/task.py"),
    "tomlkit": ("settings/addition.py",),
    "click": ("cli/", "desk.py"),
    "rich": ("show/",),
    "jinja2": ("show/page/",),
    "markupsafe": ("show/page/",),
    "pygal": ("show/page/",),
    "pydantic": ("settings/", "runs/record.py", "secrets/store.py"),
    "keyring": ("secrets/ring.py",),
    "cryptography": ("signin/",),
    "filelock": ("runs/", "secrets/store.py"),
    "psutil": ("system/processes.py",),
    "platformdirs": ("system/places.py",),
    "tenacity": ("system/files.py", "collect/graph/", "signin/"),
    "winreg": ("system/registry.py",),
    "pywintypes": ("system/processes.py", "system/windows.py", "system/vault.py"),
    "_win32typing": ("system/windows.py",),
    "win32api": ("system/windows.py",),
    "win32con": ("system/windows.py", "system/processes.py"),
    "win32crypt": ("system/vault.py",),
    "win32job": ("system/processes.py",),
    "win32security": ("system/windows.py",),
    "ntsecuritycon": ("system/windows.py",),
    "signal": ("system/processes.py",),
    "ctypes": (),
}


def modules() -> list[Path]:
    """Return every module of the house."""
    return sorted(HOUSE.rglob("*.py"))


def place(path: Path) -> str:
    """Return a module's path below the house, with slashes."""
    return path.relative_to(HOUSE).as_posix()


def floor(name: str) -> int:
    """Return the floor of the house that a dotted name below ``bridge`` belongs to."""
    return FLOOR_OF[name.split(".", maxsplit=1)[0]]


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of everything a module imports, wherever in the file it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(where: str, source: str) -> list[str]:
    """Return what a module imports against the rules, ``where`` being its place in the house."""
    own = floor(where.removesuffix(".py").replace("/", ".")) if where != "__init__.py" else -1
    wrong = []
    for name in imported(ast.parse(source)):
        top, _, rest = name.partition(".")
        if top == "bridge":
            below = rest.split(".")[0]
            if below in FLOOR_OF and FLOOR_OF[below] > own:
                wrong.append(f"{where} imports {name} from a floor below it")
            elif below not in FLOOR_OF and below not in DATA and below != "__version__":
                wrong.append(f"{where} imports {name}, which has no floor")
        elif not where.startswith(ALONE.get(top, "")):
            wrong.append(f"{where} imports {top}")
    return wrong


@pytest.mark.parametrize("path", modules(), ids=place)
def test_imports_point_up_the_list(path: Path) -> None:
    """A module imports from its own floor or an earlier one, and foreign modules where they belong."""
    assert wrong_imports(place(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("model/words.py", "from bridge import settings"),
        ("capture/file.py", "from bridge.runs.store import Runs"),
        ("runs/store.py", "import bridge.cli"),
        ("convert/rows.py", "def f():\n    from bridge.show import screen"),
        ("stages/collect.py", "from bridge.cupboard import anything"),
        ("doctor/windows.py", "import winreg"),
        ("doctor/network.py", "import msal"),
        ("stages/collect.py", "from rich.table import Table"),
    ],
)
def test_a_wrong_import_is_noticed(where: str, line: str) -> None:
    """Refused: an import from a later floor, from no floor, of a module that belongs elsewhere."""
    assert len(wrong_imports(where, line)) == 1


def test_every_module_has_a_floor() -> None:
    """A new module takes its place in the list before it takes part."""
    tops = {place(path).split("/")[0].removesuffix(".py") for path in modules()}
    assert tops - {"__init__"} <= FLOOR_OF.keys()


# --- what only one module may do ---


def called(tree: ast.AST) -> Iterator[str]:
    """Yield what is called, as it is written: ``print``, ``sys.exit``."""
    yield from (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))


def read(tree: ast.AST) -> Iterator[str]:
    """Yield every dotted name that is read, as it is written: ``os.environ``."""
    yield from (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))


@pytest.mark.parametrize("path", modules(), ids=place)
def test_only_the_command_line_prints(path: Path) -> None:
    """Results and talk go through cli/ and desk.py; nothing else calls print or click.echo."""
    if not place(path).startswith(("cli/", "desk.py")):
        assert not {"print", "click.echo"} & set(called(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", modules(), ids=place)
def test_only_the_entry_exits(path: Path) -> None:
    """Nothing but __main__.py ends the process."""
    if place(path) != "__main__.py":
        tree = ast.parse(path.read_text("utf-8"))
        ends = {"exit", "quit", "sys.exit", "os._exit", "os.abort"}
        assert not ends & set(called(tree))
        assert not {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Raise)} & {
            "raise SystemExit"
        }


@pytest.mark.parametrize("path", modules(), ids=place)
def test_only_the_edge_reads_the_environment(path: Path) -> None:
    """The environment comes in as an argument; only the command line's edge takes it from the process."""
    if not place(path).startswith(("settings/", "assembly.py", "desk.py", "cli/")):
        tree = ast.parse(path.read_text("utf-8"))
        assert not {"os.environ", "os.getenv"} & {*read(tree), *called(tree)}


_POSSESSIVE = re.compile(r"\)(?:[?*+]|\{+[\d,]*\}+)\+")


def test_no_group_is_possessive() -> None:
    """Python 3.11.0 to 3.11.4 mis-match a possessive quantifier after a group: atomic groups do not."""
    found = [
        f"{path.relative_to(HOUSE)}:{number}"
        for path in HOUSE.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if _POSSESSIVE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("pattern", ["(a)?+", "(a)*+", "(a)++", "(a){2}+", "(a){1,}+", "(a){{2}}+"])
def test_a_possessive_group_is_noticed(pattern: str) -> None:
    """With a sign or with a number behind it."""
    assert _POSSESSIVE.search(f're.compile(r"{pattern}b")')
    assert not _POSSESSIVE.search(f're.compile(r"{pattern[:-1]}b")')
