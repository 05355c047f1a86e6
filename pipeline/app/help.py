"""`--help` of a command: its purpose, examples, and its keys with their meaning, all as its file in conf/ says it."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from pipeline.app.composition import CONF

FLAGS = """flags:
  -m, --multirun          a sweep: an axis for each key=v1,v2 or key=range(10) (train only)
  -c, --cfg job           show the configuration, and do nothing
  -cd, --config-dir DIR   a folder of more configurations, such as DIR/study/mine.yaml
  -cn, --config-name NAME another configuration than the command's
  --version               of this program
  --hydra-help            of Hydra, which reads the command line"""


def help_of(command: str) -> str:
    """The help of a command."""
    path = CONF / f"{command}.yaml"
    usage = f"usage: python -m pipeline.{command} [flag …] [key=value …]    (or: backprop {command} …)"
    parts = [header(path), usage, "\n".join(["keys:", *indented(keys_of(path))])]
    chosen = list(dict.fromkeys(choices_of(path)))
    groups = [line for group, what in chosen for line in (f"{group}: {what}".rstrip(": "), *indented(options(group)))]
    if groups:
        parts.append("\n".join(["choices, as in task=xor:", *indented(groups)]))
    footer = OmegaConf.select(OmegaConf.create(own(path)), "hydra.help.footer")
    return "\n\n".join([*parts, FLAGS, *([str(footer).strip()] if footer else [])])


def own(path: Path) -> dict[str, object]:
    """The content of a file, with that of the commands' files which it starts from."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for other in above(path):
        content = {**own(other), **content}
    return content


def above(path: Path) -> list[Path]:
    """The files that a file starts from."""
    entries = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    files = [path.with_name(f"{entry}.yaml") for entry in entries if isinstance(entry, str)]
    return [file for file in files if file.is_file()]


def header(path: Path) -> str:
    """The comment that a file begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(lines)


def keys_of(path: Path) -> list[str]:
    """The keys of a command with their comments, those of the command that it starts from first; without Hydra's."""
    return [*(line for file in above(path) for line in keys_of(file)), *own_keys(path)]


def own_keys(path: Path) -> list[str]:
    """The keys of a file with their comments, without Hydra's."""
    lines: list[str] = []
    hidden = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+:", line):
            hidden = line.startswith(("defaults:", "hydra:"))
        if line and not hidden and not line.startswith("#"):
            lines.append(line)
    return lines


def choices_of(path: Path) -> Iterator[tuple[str, str]]:
    """The groups of which a command's configuration takes a choice each, with the comments there."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"  - (\w+): \w+\s*(?:# (.*?)(?:: see conf/.*)?)?$", line):
            yield match[1], match[2] or ""
        elif (match := re.match(r"  - (\w+)\s*(#.*)?$", line)) and (file := path.with_name(f"{match[1]}.yaml")).is_file():
            yield from choices_of(file)


def options(group: str) -> list[str]:
    """The choices of a group, with what their files say of them and of their keys."""
    lines = []
    for path in sorted((CONF / group).glob("*.yaml")):
        about = header(path).splitlines()
        lines += [f"{group}={path.stem}: {' '.join(about)}", *indented(key for key in own_keys(path) if not is_name(key))]
    return lines


def is_name(line: str) -> bool:
    """Whether the line of a choice only names it."""
    return bool(re.match(r"(name|kind|max_epochs): [\w]+$", line))


def indented(lines: Iterator[str] | list[str]) -> list[str]:
    """The lines, two spaces to the right."""
    return [f"  {line}" for line in lines]
