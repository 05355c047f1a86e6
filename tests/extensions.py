"""The examples of docs/extending.md, put into a copy of the checkout as the page says."""

import re
import shutil
import textwrap
from pathlib import Path

from tests import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(python|yaml|text)\n# ([\w./]+)(?:, (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()]


def extended_checkout(folder: Path) -> Path:
    """A copy of the checkout's code, configuration and baselines in which all examples are."""
    checkout = folder / "checkout"
    for name in ("pipeline", "hydra_plugins", "conf", "baselines"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for _, file, place, code in BLOCK.findall(PAGE):
        put(checkout / file, place, code)
    return checkout


def put(path: Path, place: str, code: str) -> None:
    """Writes a new file, or puts code among the imports of a file or at the beginning of one of its tables."""
    if not place:
        assert not path.exists(), path
        path.write_text(code, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if place == "imports":
        before, after, indent = *re.split(r"(?m)^(?=from pipeline)", text, maxsplit=1), ""
    else:
        table = re.search(rf"(?m)^{place}\b[^\n]*[({{]\n", text)
        assert table, f"{path} has no table {place}"
        end = table.end() + re.search(r"(?m)^[)}]", text[table.end() :]).start()
        before, after, indent = text[:end], text[end:], "    "
    path.write_text(f"{before}{textwrap.indent(code, indent)}{after}", encoding="utf-8")
