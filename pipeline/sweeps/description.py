"""What sweep it is and how it was requested: all that is needed to record its results, today or later."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError, as_overrides
from pipeline.results.columns import NO_AXES
from pipeline.results.regular_file import read_regular
from pipeline.results.spool import DESCRIPTION
from pipeline.sweeps.axes import Product
from pipeline.sweeps.plan import Plan
from pipeline.trials.settings import Tracking, read_tracking

MOST_VALUES = 100  # of an axis, in the parent run's params
MOST_BYTES = 2**28  # of a description: millions of values
CHECKSUM = ', "checksum": "'
FILES = ("config.yaml", "overrides.yaml")
KINDS = {
    "key": str, "trials": int, "jobs": dict, "study": str, "command": str, "configuration": dict, "files": dict, "others": list,
}  # fmt: skip
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
# What reading data of any other kind may raise.
UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError, OSError)


@dataclass(frozen=True, slots=True)
class SweepDescription:
    """A sweep as its folder describes it.

    key: of the sweep (`Plan.key`); trials: how many; jobs: the plan's; tracking: with the store's address; study: the
    sweep's name (`SweepRequest.name`); command: the one that makes the sweep again; configuration: what all jobs start from;
    files: its YAML files by name; parent: the id of its parent run, once there is one; others: the ids of those that it has in
    other stores, where `push` has made them.
    """

    key: str
    trials: int
    jobs: Product
    tracking: Tracking
    study: str
    command: str
    configuration: dict[str, Any]
    files: dict[str, str]
    parent: str | None = None
    others: list[str] = field(default_factory=list)

    @property
    def origin(self) -> dict[str, Any]:
        """What the answer takes of how the sweep was made."""
        return {"command": self.command, "study": self.study, "configuration": self.configuration}

    def to_json(self) -> str:
        """The description as JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        texts = {name: json.dumps(value, default=asdict) for name, value in values.items() if name != "jobs"}
        texts["jobs"] = self.jobs.json
        return with_checksum("{" + ", ".join(f'"{name}": {texts[name]}' for name in values) + "}")

    @classmethod
    def from_json(cls, text: str, path: Path) -> "SweepDescription":
        """What `to_json` wrote. Raises ConfigError, which names the folder, for any other text in that file."""
        try:
            data = json.loads(without_checksum(text))
            description = cls(**{**data, "jobs": Product.from_data(data["jobs"]), "tracking": read_tracking(data)})
            if HALF_CHARACTER.search(text):
                json.dumps(data, ensure_ascii=False).encode()  # raises ValueError where it stays a half, which no store takes
            if all(type(data[name]) is kind for name, kind in KINDS.items()) and description.fits():
                return description
        except UNREADABLE:
            pass
        raise ConfigError("folder", str(path.parent), f"is no folder of a sweep's results: {path.name}")

    @classmethod
    def of_folder(cls, path: Path) -> "SweepDescription":
        """The description in a sweep's folder. Raises ConfigError if there is none."""
        file = path / DESCRIPTION
        try:
            if path.is_symlink():
                raise ConfigError("folder", str(path), "is a link: name the folder itself")
            text = read_regular(file, MOST_BYTES).decode()
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("folder", str(path), f"is no folder of a sweep's results: no {DESCRIPTION} can be read") from None
        return cls.from_json(text, file)

    def fits(self) -> bool:
        """Whether the values, each of the right type, can be those of a sweep."""
        names = [axis.name for axis in self.jobs.axes]
        return (
            re.fullmatch("[0-9a-f]{64}", self.key) is not None
            and isinstance(self.parent, str | None)
            and all(isinstance(other, str) for other in self.others)
            and all(name in FILES and isinstance(text, str) for name, text in self.files.items())
            and len(set(names)) == len(names)
            and not set(names) & {*NO_AXES, ""}
            and len(self.jobs) == self.trials
        )

    @property
    def parents(self) -> list[str]:
        """The ids of its parent runs in all stores."""
        return [*([self.parent] if self.parent else []), *self.others]

    def under(self, parent: str, others: Sequence[str] = ()) -> "SweepDescription":
        """The same sweep with that parent run, and others in other stores."""
        return replace(self, parent=parent, others=[other for other in others if other != parent])

    @property
    def order(self) -> str:
        """SHA-256 over the order of axes and of their values: trials of the same key have the same indices if it is equal."""
        return hashlib.sha256(self.jobs.axes_json.encode()).hexdigest()

    @property
    def plan(self) -> Plan:
        """Its trials. Raises ConfigError where they cannot be read."""
        try:
            plan = Plan.of_recorded(self.jobs)
            plan.axis_columns(np.arange(0))
            plan.fixed_columns(np.arange(0))
        except ConfigError:
            raise
        except UNREADABLE:
            raise ConfigError("jobs", "…", "are not the jobs of a multirun") from None
        return plan

    @property
    def params(self) -> dict[str, str]:
        """The axes that vary, as params of the parent run."""
        axes = {axis.name: shortened(axis.values) for axis in self.jobs.axes if axis.varies}
        return axes or {"axes": "none"}


def with_checksum(text: str) -> str:
    """A JSON object with the SHA-256 of its text as its last entry."""
    return f'{text[:-1]}{CHECKSUM}{hashlib.sha256(text.encode()).hexdigest()}"}}'


def without_checksum(text: str) -> str:
    """The JSON object that `with_checksum` was given. Raises ValueError where it has changed since."""
    body = text.rpartition(CHECKSUM)[0] + "}"
    if with_checksum(body) != text:
        raise ValueError("does not have its checksum")
    return body


def shortened(values: Sequence[Any]) -> str:
    """The different values of an axis, as a list; the first and the last where they are too many for MLflow."""
    different: Sequence[Any] = values if isinstance(values, range) else list(dict.fromkeys(as_overrides(values)))
    if len(different) > MOST_VALUES:
        more = f"… {len(different) - MOST_VALUES // 2 - 1:,} more …"
        different = [*different[: MOST_VALUES // 2], more, different[-1]]
    return f"[{','.join(map(str, different))}]"
