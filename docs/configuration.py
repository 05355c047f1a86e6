"""Every key of the configuration: the tables of `docs/configuration.md`, by `python -m docs.configuration`.

Keys, defaults and meanings are those of the files in `conf/`; what is allowed is what the program itself says when it refuses a
value that no key takes.
"""

import copy
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pipeline.app.composition import CONF
from pipeline.app.help import FLAGS, header
from pipeline.errors import ConfigError
from pipeline.trials.settings import read_run

PAGE = Path(__file__).with_suffix(".md")
LINE = re.compile(r"( *)(\w+): *([^#]*?) *(?:# (.*))?$")
MORE = re.compile(r" +# (.*)$")
REFUSED: tuple[Any, ...] = ([""], "")  # values that no key takes; for some, the first is a text
# Groups, and the key that names a choice there.
NAMES = {"task": "name", "network": "", "initial": "kind", "tracking": "", "executor": "name"}
GLOBAL = {"lesson": "One way not to converge each, for teaching", "study": "Ready-made sweeps", "map": "Ready-made maps"}
# What a key needs beside it to be looked at.
COMPANIONS: dict[str, dict[str, Any]] = {
    "initial.direction.seed": {"initial.direction.distance": 1},
    "initial.direction.to": {"initial.direction.distance": 1},
    "initial.direction.fraction": {"initial.direction.to": "published"},
    "initial.direction.distance": {"initial.direction.seed": 0},
    "explain.figure": {"explain.at": "end"},
    "map.film.doublings": {"map.film.centre": [1, 1]},
    "map.film.steps": {"map.film.centre": [1, 1]},
    "map.film.seconds": {"map.film.centre": [1, 1]},
    "map.across.centre": {"map.across.from": None, "map.across.to": None, "map.across.width": 1},
    "map.across.width": {"map.across.from": None, "map.across.to": None, "map.across.centre": 1},
}
COMMANDS = ("map", "explore", "explain", "summary", "reproduce", "push", "ui", "upgrade")

HEAD = """# Every key of the configuration

Made by `python -m docs.configuration` from the files in `conf/` and from what the program says when it refuses a value. A key
is set on the command line, `learning_rate=2`; with `-m` it takes several values, `learning_rate=0.5,2,8`, and is an axis of a
sweep. `python -m pipeline.train --help` has the same in the terminal. Lists and texts with blanks stand in quotes, for the
shell: `'initial.range=[-1,1]'`. Where a bound depends on the task, it is that of the worked example."""


@dataclass(frozen=True)
class Key:
    """A key with its dotted path, its default as a file has it, and its comment."""

    path: str
    default: str
    meaning: str


def keys_in(path: Path) -> list[Key]:
    """The keys of a file but Hydra's, in their order; a comment on a line of its own belongs to the key before it."""
    found: list[Key] = []
    above: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := LINE.match(line):
            indent, name, default, meaning = match.groups()
            above = [one for one in above if one[0] < len(indent)]
            above.append((len(indent), name))
            found.append(Key(".".join(part for _, part in above), default, meaning or ""))
        elif (match := MORE.match(line)) and found:
            last = found.pop()
            found.append(Key(last.path, last.default, f"{last.meaning} {match[1]}"))
    return [key for key in found if not key.path.startswith(("defaults", "hydra")) and (key.default or key.meaning)]


def content(path: Path) -> dict[str, Any]:
    """What a file sets, but for Hydra."""
    loaded = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")), resolve=False)
    return {key: value for key, value in loaded.items() if key not in ("defaults", "hydra")}  # type: ignore[union-attr]


def of_train() -> dict[str, Any]:
    """The configuration of `pipeline.train`, as Hydra composes it."""
    chosen = {group: content(CONF / group / f"{name}.yaml") for group, name in DEFAULT_CHOICES.items()}
    chosen["initial"] |= content(CONF / "changes_of_weights.yaml")["initial"]
    return {**content(CONF / "train.yaml"), **chosen}


def default_choices() -> dict[str, str]:
    """The choice of each group that `train.yaml` begins with."""
    lines = re.findall(r"^  - (\w+): (\w+)", (CONF / "train.yaml").read_text(encoding="utf-8"), re.M)
    return {group: name for group, name in lines if group in NAMES}


DEFAULT_CHOICES = default_choices()


def allowed(read: Callable[[dict[str, Any]], Any], config: Mapping[str, Any], path: str) -> str:
    """What a reader says is allowed at a key, when it refuses a value that is not; empty where it says nothing of that key."""
    for refused in REFUSED:
        wrong = copy.deepcopy(dict(config))
        for key, value in {**COMPANIONS.get(path, {}), path: refused}.items():
            *above, last = key.split(".")
            section = wrong
            for name in above:
                section = section[name]
            section[last] = value
        try:
            read(wrong)
        except ConfigError as error:
            if error.key in (path, path.removesuffix(".run")):  # reproduce: map=… is map.run
                return in_short(error.allowed)
    return ""


def in_short(text: str) -> str:
    """What is allowed, without the words that make a sentence of it."""
    return re.sub(r"^(must be |must have )?(one of )?", "", text)


def row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table, in Markdown."""
    return "\n".join([row(*head), row(*("---",) * len(head)), *(row(*one) for one in rows)])


def code(text: str) -> str:
    """As code, if there is any."""
    return f"`{text}`" if text else ""


def cells(key: Key, said: str, prefix: str = "") -> tuple[str, str, str, str]:
    """The row of a key."""
    default = "(must be given)" if key.default == "???" else code(key.default)
    null = ", or null" if key.default == "null" and said and "null" not in said else ""
    return code(f"{prefix}{key.path}"), default, f"{said}{null}", key.meaning


def of_file(path: Path, read: Callable[[dict[str, Any]], Any], config: Mapping[str, Any]) -> str:
    """The table of a file's keys."""
    rows = [cells(key, allowed(read, config, key.path) if key.default else "") for key in keys_in(path)]
    return table(("key", "default", "allowed", "meaning"), rows)


def of_group(group: str, config: Mapping[str, Any]) -> Iterator[str]:
    """The choices of a group, and the keys of each."""
    paths = sorted((CONF / group).glob("*.yaml"))
    default = DEFAULT_CHOICES[group]
    rows = [(code(f"{group}={path.stem}") + (" (default)" if path.stem == default else ""), about(path)) for path in paths]
    yield table(("choice", "what it is"), rows)
    found: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        own = {key: "x" if value == "???" else value for key, value in content(path).items()}
        for key in keys_in(path):
            if key.path == NAMES[group] or path.stem == "equal":  # whose values stand in its file
                continue
            full = f"{group}.{key.path}"
            said = allowed(read_run, {**config, group: {**config[group], **own} if group == "initial" else own}, full)
            found.setdefault(cells(key, said, f"{group}."), []).append(path.stem)
    if found:
        rows = [(key, ", ".join(choices), *rest) for (key, *rest), choices in found.items()]
        yield table(("key", "of", "default", "allowed", "meaning"), rows)


def about(path: Path) -> str:
    """What a file says of itself, without its examples."""
    return " ".join(line for line in header(path).splitlines() if not line.startswith("  "))


def reader_of(command: str) -> Callable[[dict[str, Any]], Any]:
    """What reads the configuration of a command: nothing else is done before all of it is read."""
    if command == "map":
        from pipeline.maps.recording.request import read_map

        return read_map
    if command == "reproduce":
        from pipeline.reproducibility.check import read_settings

        return read_settings
    main: Callable[[dict[str, Any]], Any] = import_module(f"pipeline.{command}").main
    return main


def of_command(command: str, train: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a command that no command before it has."""
    path = CONF / f"{command}.yaml"
    config = content(path)
    if command in ("map", "explore", "explain"):
        config = {**train, **config}
    if command in ("map", "explore"):
        axes = content(CONF / "map" / "worked_example.yaml")["map"]
        config["map"] = {**axes, **content(CONF / "map.yaml")["map"]}
    if command in ("summary", "reproduce", "ui", "upgrade"):
        config = {**config, "tracking": {**train["tracking"], **config.get("tracking", {})}}
    purpose = header(path).split("\nExamples:")[0].replace("\n", " ")
    yield f"## `python -m pipeline.{command}`\n\n{purpose}"
    if keys_in(path):
        yield of_file(path, reader_of(command), config)
    if command == "map":
        yield "Its two axes, here those of `map=worked_example`; `map.down` has the same keys as `map.across`:"
        rows = [key for key in keys_in(CONF / "map" / "worked_example.yaml") if key.path.startswith("map.across.")]
        read = reader_of("map")
        yield table(("key", "default", "allowed", "meaning"), [cells(key, allowed(read, config, key.path)) for key in rows])


def text() -> str:
    """The page, as it is without a store: some of what is refused depends on what is recorded."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return "\n\n".join([*sections(), "## Flags", f"```text\n{FLAGS}\n```"]) + "\n"


def sections() -> list[str]:
    """What the page has of `conf/`."""
    train = of_train()
    parts = [HEAD, "## A run, and a sweep: `python -m pipeline.train`", of_file(CONF / "train.yaml", read_run, train)]
    for group in NAMES:
        parts += [f"## `{group}`", *of_group(group, train)]
        if group == "initial":
            parts += ["What changes the initial weights, whatever they are, in this order (docs/starts.md):"]
            parts += [of_file(CONF / "changes_of_weights.yaml", read_run, train)]
    for group, what in GLOBAL.items():
        rows = [(code(f"{group}={path.stem}"), about(path)) for path in sorted((CONF / group).glob("*.yaml"))]
        parts += [f"## `{group}`", f"{what}; each sets keys of the tables above.", table(("choice", "what it is"), rows)]
    for command in COMMANDS:
        parts += of_command(command, train)
    return parts


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(f"written to {PAGE}")
