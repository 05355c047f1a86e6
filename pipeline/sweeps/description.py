"""What sweep it is and how it was requested: all that is needed to record its results, today or later."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, as_override
from pipeline.sweeps.axes import Product
from pipeline.sweeps.plan import Plan
from pipeline.trials.settings import Tracking, read_tracking

MOST_VALUES = 100  # of an axis, in the parent run's params
KINDS = {"key": str, "trials": int, "jobs": dict, "study": str, "command": str, "configuration": dict, "files": dict}


@dataclass(frozen=True, slots=True)
class SweepDescription:
    """A sweep as its folder describes it.

    key: of the sweep (`Plan.key`); trials: how many; jobs: the plan as data; tracking: with the store's address; command:
    the one that makes the sweep again; configuration: what all jobs start from; files: its YAML files by name; parent: the
    id of its parent run, once there is one.
    """

    key: str
    trials: int
    jobs: dict[str, Any]
    tracking: Tracking
    study: str
    command: str
    configuration: dict[str, Any]
    files: dict[str, str]
    parent: str | None = None

    def to_json(self) -> str:
        """The description as JSON."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)}, default=asdict)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "SweepDescription":
        """What `to_json` wrote. Raises ConfigError, which names the folder, for any other text in that file."""
        try:
            data = json.loads(text)
            description = cls(**{**data, "tracking": read_tracking(data)})
            if (
                all(isinstance(data[name], kind) for name, kind in KINDS.items())
                and isinstance(description.parent, str | None)
                and all(Path(name).name == name and isinstance(text, str) for name, text in description.files.items())
                and len(Product.from_data(description.jobs)) == description.trials
            ):
                return description
        except (TypeError, KeyError, ValueError):
            pass
        raise ConfigError("folder", str(path.parent), f"is no folder of a sweep's results: {path.name}")

    @property
    def plan(self) -> Plan:
        """Its trials. Raises ConfigError where they cannot be read."""
        return Plan.from_data(self.jobs)

    @property
    def params(self) -> dict[str, str]:
        """The axes that vary, as params of the parent run."""
        axes = {axis["name"]: shortened(axis["values"]) for axis in self.jobs["axes"] if len(axis["values"]) > 1}
        return axes or {"axes": "none"}


def shortened(values: Sequence[Any]) -> str:
    """The different values of an axis, as a list; the first and the last where they are too many for MLflow."""
    texts = list(dict.fromkeys(map(as_override, values)))
    if len(texts) > MOST_VALUES:
        texts = [*texts[: MOST_VALUES // 2], f"… {len(texts) - MOST_VALUES // 2 - 1:,} more …", texts[-1]]
    return f"[{','.join(texts)}]"
