"""The house: which room may know which and use which library, and how large it is; all read from the imports.

A room is a folder in pipeline/, or a file directly in pipeline/ or hydra_plugins/. Its floor is one more than the highest floor
of what it imports. Imports inside functions and under TYPE_CHECKING count as all others do.
"""

import ast
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

from tests import ROOT

MOST_LINES, MOST_FILES, MOST_FLOORS, MOST_ROOMS = 400, 13, 8, 30

# A room: the rooms (or modules of rooms) that it may know, the libraries that it may import. A row knows rows above it only.
ROOMS = {
    "errors": ("", ""),
    "backprop": ("", "numpy"),
    "app": ("backprop.status errors", "hydra omegaconf rich yaml"),
    "trials": ("backprop errors", "numpy pandas sklearn"),
    "results": ("trials backprop errors", "numpy pandas pyarrow"),
    "stats": ("results.columns backprop.status backprop.causes.rules errors", "numpy pandas scipy sklearn"),
    "store": ("results trials backprop errors", "numpy pandas pyarrow mlflow requests sqlalchemy alembic yaml"),
    "report": ("stats results trials backprop errors", "numpy pandas matplotlib jinja2 markupsafe bokeh rich"),
    "walkthrough": ("report results trials backprop errors", "numpy matplotlib jinja2 markupsafe PIL"),
    "sweeps": ("store report stats results trials backprop app errors", "numpy pandas pyarrow dask distributed"),
    "maps": ("sweeps store report stats results trials backprop app errors", "numpy pandas pyarrow matplotlib PIL bokeh yaml"),
    "reproducibility": ("sweeps store results trials backprop app errors", "numpy pandas pyarrow"),
    "commands": ("any", "matplotlib numpy pandas"),  # the files in pipeline/ other than errors.py
    "hydra_plugins": ("app sweeps", "hydra omegaconf"),
}
MORE_LIBRARIES = {
    "backprop.causes.compiled": "llvmlite",
    "backprop.engines.compiled": "llvmlite",
    "maps.explorer": "jinja2 tornado",
    "sweeps.axes": "hydra omegaconf",
    "trials.tasks.parquet": "pyarrow",
}


@dataclass(frozen=True)
class Import:
    """A line that imports `target`: a module of the project, or the first part of a library's name."""

    file: str
    line: int
    module: str
    target: str

    @property
    def is_library(self) -> bool:
        return self.target.split(".")[0] not in ("pipeline", "hydra_plugins")


def modules_in(root: Path) -> dict[str, Path]:
    """The file of each module of the project, by the module's name."""
    files = [path for name in ("pipeline", "hydra_plugins") for path in (root / name).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in sorted(files)}


def imported(code: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a piece of code imports; of `from a import b` that is a.b."""
    for node in ast.walk(code):
        match node:
            case ast.Import(names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module, names, level):
                parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                parents += [module] if module else []
                yield from ((node.lineno, ".".join([*parents, name.name])) for name in names)
            case ast.Call(
                ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"), [ast.Constant(name), *_]
            ):
                yield node.lineno, name


def imports_in(root: Path) -> list[Import]:
    """All imports of the project's modules, but those of the standard library."""
    modules, imports = modules_in(root), {}
    for module, path in modules.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for line, name in imported(ast.parse(path.read_text()), package):
            target = first = name.split(".")[0]
            if first in ("pipeline", "hydra_plugins"):
                target = name if name in modules else name.rpartition(".")[0]
            if first not in sys.stdlib_module_names and target != module:
                imports[Import(path.relative_to(root).as_posix(), line, module, target)] = None
    return list(imports)


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def between_rooms(root: Path) -> list[Import]:
    """The imports of a room's modules from another room."""
    return [one for one in imports_in(root) if not one.is_library and room_of(one.module) != room_of(one.target)]


def row_of(module: str, modules: dict[str, Path]) -> str:
    """The row of the table that holds for a module."""
    room = room_of(module)
    if module.startswith("hydra_plugins"):
        return "hydra_plugins"
    if room == "pipeline" or (room != "pipeline.errors" and room in modules and modules[room].name != "__init__.py"):
        return "commands"
    return room.removeprefix("pipeline.")


def below(name: str, parents: str) -> bool:
    """Is a module one of these, or in one of them?"""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents.split())


def forbidden_imports(root: Path) -> list[str]:
    """Imports that the table does not allow, and rooms that the table does not have."""
    modules, wrong = modules_in(root), []
    for one in imports_in(root):
        row, name = row_of(one.module, modules), one.module.removeprefix("pipeline.")
        rooms, libraries = ROOMS.get(row, ("", ""))
        if one.is_library:
            more = [libraries for part, libraries in MORE_LIBRARIES.items() if below(name, part)]
            kind, allowed = "libraries", " ".join([libraries, *more])
        else:
            kind, allowed = "rooms", rooms
        inside = room_of(one.module) == room_of(one.target)
        if not (inside or allowed == "any" or below(one.target.removeprefix("pipeline."), allowed)):
            wrong.append(f"{one.file}:{one.line}: imports {one.target}; {kind} that {row} may import: {allowed or 'none'}")
    rows = {row_of(module, modules) for module in modules}
    return [
        *wrong,
        *(f"pipeline/{row}: the table ROOMS has no row for it" for row in sorted(rows - set(ROOMS))),
    ]


def circles(root: Path) -> list[str]:
    """A circle of rooms and a circle of modules, if there are any, with the line of each import."""
    messages = []
    for kind, name in (("rooms", room_of), ("modules", str)):
        arrows = {(name(one.module), name(one.target)): one for one in reversed(imports_in(root)) if not one.is_library}
        graph = {here: {there for other, there in arrows if other == here != there} for here, _ in arrows}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1][:0:-1]  # who imports comes before what is imported
            first = circle.index(min(circle))
            circle = [*circle[first:], *circle[: first + 1]]
            lines = [arrows[arrow] for arrow in pairwise(circle)]
            written = "; ".join(f"{one.file}:{one.line} imports {one.target}" for one in lines)
            messages.append(f"a circle of {kind}, none is allowed: {written}")
    return messages


def too_large(root: Path) -> list[str]:
    """Files with too many lines, folders with too many files."""
    modules = modules_in(root)
    lines = {path.relative_to(root).as_posix(): len(path.read_text().splitlines()) for path in modules.values()}
    files = Counter(path.parent.relative_to(root).as_posix() for path in modules.values())
    return [
        *(f"{file}:{n}: the last line; at most {MOST_LINES} are allowed" for file, n in lines.items() if n > MOST_LINES),
        *(f"{folder}/: {n} Python files; at most {MOST_FILES} are allowed" for folder, n in files.items() if n > MOST_FILES),
    ]


def floors(root: Path) -> dict[str, int]:
    """The floor of each room, the lowest being 1; raises CycleError where rooms know each other."""
    graph = {room_of(module): set() for module in modules_in(root)}
    for one in between_rooms(root):
        graph[room_of(one.module)].add(room_of(one.target))
    floor = {}
    for room in TopologicalSorter(graph).static_order():
        floor[room] = 1 + max((floor[other] for other in graph[room]), default=0)
    return floor


def too_high(root: Path) -> list[str]:
    """Imports by which a room is on a floor that is not allowed; and too many rooms."""
    floor = floors(root)
    messages = [f"pipeline/: {len(floor)} rooms; at most {MOST_ROOMS} are allowed"] if len(floor) > MOST_ROOMS else []
    for one in between_rooms(root):
        here, there = floor[room_of(one.module)], floor[room_of(one.target)]
        if here > MOST_FLOORS and here == there + 1:
            messages.append(f"{one.file}:{one.line}: imports {one.target}: floor {here}; at most {MOST_FLOORS} are allowed")
    return messages


def code_in(path: Path) -> Iterator[tuple[int, ast.AST]]:
    """The code of a file, and that of scripts that it holds as text; each with the lines before it."""
    tree = ast.parse(path.read_text())
    yield 0, tree
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import" in node.value:
            with suppress(SyntaxError):  # prose
                yield node.lineno - 1, ast.parse(textwrap.dedent(node.value))


def imports_of_tests(root: Path) -> list[str]:
    """Imports from a test module, in any file of tests/."""
    messages = []
    for path in sorted((root / "tests").rglob("*.py")):
        file = path.relative_to(root)
        for before, code in code_in(path):
            for line, name in imported(code, ".".join(file.parent.parts)):
                if name.startswith("tests.") and ".test_" in name:
                    messages.append(f"{file.as_posix()}:{before + line}: imports {name}; modules that are no tests are allowed")
    return messages


def test_rooms_know_and_use_what_the_table_allows():
    assert forbidden_imports(ROOT) == []


def test_the_table_only_goes_downwards_and_has_no_empty_rooms():
    above = set()
    for room, (rooms, _) in ROOMS.items():
        assert {name.split(".")[0] for name in rooms.split()} <= above | {"any"}, room
        above.add(room)
    modules = modules_in(ROOT)
    assert set(ROOMS) == {row_of(module, modules) for module in modules}


@pytest.mark.parametrize("check", [circles, too_large, too_high, imports_of_tests], ids=lambda check: check.__name__)
def test_the_house_keeps_its_rules(check):
    assert check(ROOT) == []


LONG = "x = 1\n" * (MOST_LINES + 1)
FLAT = {f"pipeline/sweeps/part_{number}.py": "" for number in range(MOST_FILES + 1)}
TOWER = {f"pipeline/floor_{n}.py": f"import pipeline.floor_{n - 1}\n" if n else "" for n in range(MOST_FLOORS + 1)}
WIDE = {f"pipeline/room_{number}.py": "" for number in range(MOST_ROOMS)}
OTHER = "tests.b.test_b"
BROKEN = {  # a check, a tree that breaks its rule, what it must say
    "a room that knows a higher one": (
        forbidden_imports,
        {"pipeline/backprop/a.py": "import math\n\ndef f():\n    from pipeline.trials import b\n", "pipeline/trials/b.py": ""},
        "pipeline/backprop/a.py:4: imports pipeline.trials.b; rooms that backprop may import: none",
    ),
    "a room that knows more of a room than one module": (
        forbidden_imports,
        {"pipeline/stats/a.py": "from pipeline.results import columns, rows\n"}
        | {f"pipeline/results/{name}.py": "" for name in ("columns", "rows")},
        "pipeline/stats/a.py:1: imports pipeline.results.rows; "
        "rooms that stats may import: results.columns backprop.status backprop.causes.rules errors",
    ),
    "a room that knows a command, for a type": (
        forbidden_imports,
        {"pipeline/app/a.py": "if TYPE_CHECKING:\n    from ..train import main\n", "pipeline/train.py": "main = 1\n"},
        "pipeline/app/a.py:2: imports pipeline.train; rooms that app may import: backprop.status errors",
    ),
    "a library in a room that may not import it": (
        forbidden_imports,
        {"pipeline/backprop/a.py": "import numpy.linalg\nimport importlib\nimportlib.import_module('mlflow.entities')\n"},
        "pipeline/backprop/a.py:3: imports mlflow; libraries that backprop may import: numpy",
    ),
    "a library that only another module of the room may import": (
        forbidden_imports,
        {"pipeline/sweeps/axes.py": "import hydra\n", "pipeline/sweeps/plan.py": "import hydra\n"},
        "pipeline/sweeps/plan.py:1: imports hydra; libraries that sweeps may import: numpy pandas pyarrow dask distributed",
    ),
    "a room that the table does not know": (
        forbidden_imports,
        {"pipeline/utils/a.py": ""},
        "pipeline/utils: the table ROOMS has no row for it",
    ),
    "a circle of rooms, one arrow of it inside a function": (
        circles,
        {
            "pipeline/a/x.py": "import pipeline.b.x\n",
            "pipeline/b/x.py": "",
            "pipeline/a/y.py": "",
            "pipeline/b/y.py": "def f():\n    import pipeline.a.y\n",
        },
        "a circle of rooms, none is allowed: pipeline/a/x.py:1 imports pipeline.b.x; pipeline/b/y.py:2 imports pipeline.a.y",
    ),
    "a circle of modules": (
        circles,
        {"pipeline/a/x.py": "from pipeline.a.y import f\n", "pipeline/a/y.py": "def f():\n    from . import x\n"},
        "a circle of modules, none is allowed: pipeline/a/x.py:1 imports pipeline.a.y; pipeline/a/y.py:2 imports pipeline.a.x",
    ),
    "a long file": (too_large, {"pipeline/a.py": LONG}, "pipeline/a.py:401: the last line; at most 400 are allowed"),
    "a full folder": (too_large, FLAT, "pipeline/sweeps/: 15 Python files; at most 13 are allowed"),
    "a tower": (too_high, TOWER, "pipeline/floor_8.py:1: imports pipeline.floor_7: floor 9; at most 8 are allowed"),
    "too many rooms": (too_high, WIDE, "pipeline/: 31 rooms; at most 30 are allowed"),
    "a test that imports from a test": (
        imports_of_tests,
        {"tests/a/test_a.py": f"def test():\n    from {OTHER} import helper\n"},
        f"tests/a/test_a.py:2: imports {OTHER}.helper; modules that are no tests are allowed",
    ),
    "a script of a test that imports from a test": (
        imports_of_tests,
        {"tests/test_a.py": f'SCRIPT = """\nimport os\nimport {OTHER} as b\n"""\n'},
        f"tests/test_a.py:3: imports {OTHER}; modules that are no tests are allowed",
    ),
    "a shared module that imports from a test": (
        imports_of_tests,
        {"tests/b/stores.py": f"from . import {OTHER.rpartition('.')[2]}\n"},
        f"tests/b/stores.py:1: imports {OTHER}; modules that are no tests are allowed",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_and_its_place_named(name, tmp_path):
    check, files, message = BROKEN[name]
    for file, text in files.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    assert check(tmp_path) == [message]
