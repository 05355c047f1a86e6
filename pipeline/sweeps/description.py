"""What sweep it is and how it was requested: all that is needed to record what was trained of it, today or later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, as_override
from pipeline.sweeps.plan import Plan
from pipeline.trials.settings import Tracking

MOST_VALUES = 100  # of an axis, in the parent run's params


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
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, path: Path) -> "SweepDescription":
        """What `to_json` wrote. Raises ConfigError, which names the file, where it is anything else."""
        refusal = ConfigError("folder", str(path.parent), f"is no folder of a sweep's results: {path.name}")
        try:
            data = json.loads(text)
            return cls(**{**data, "tracking": Tracking(**data["tracking"])})
        except (ValueError, TypeError):
            raise refusal from None

    def with_parent(self, parent: str) -> "SweepDescription":
        """The description of the sweep that has this parent run."""
        return replace(self, parent=parent)

    def with_tracking(self, changes: Mapping[str, str]) -> "SweepDescription":
        """The description of the same sweep, to be recorded elsewhere."""
        return replace(self, tracking=Tracking(**{**asdict(self.tracking), **changes}))

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
