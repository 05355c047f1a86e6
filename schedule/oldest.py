"""Prints the project's dependencies at the oldest versions that it supports: the `>=` in pyproject.toml as `==`."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
for dependency in project["dependencies"]:
    print(re.sub(r"^([\w.\[\]-]+)\s*>=", r"\1==", dependency))
