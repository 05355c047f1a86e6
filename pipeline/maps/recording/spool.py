"""The stripes of a map on disk until the store has the map, in a folder that is locked."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.results.rows import RunRows
from pipeline.results.spool import ARTIFACTS, LOCK, Spool
from pipeline.results.verification import FILE_NAME, verified_file
from pipeline.results.whole_file import DRAFT

DESCRIPTION = "map.json"
FILES = r"((map|axes)\.npz|config\.yaml|[a-z_]+\.png|tiles/([0-9]+-[0-9]+\.npz)?)"
DRAFTS = DRAFT % r"(map\.json|[0-9]{10,19}\.arrow)"


class MapSpool(Spool):
    """The folder of one map. What in it is no stripe that `verify` takes is set aside. Raises OSError where it is none."""

    description = DESCRIPTION
    artifact_names = f"({FILES})?"
    own = re.compile(rf"{LOCK}|map\.json|{FILE_NAME.pattern}|{DRAFTS}|{ARTIFACTS}(-[0-9]+)?/({FILES})?")

    def __init__(self, path: Path, verify: Callable[[pa.Table], None] = lambda table: None) -> None:
        self.verified: Callable[[Path], RunRows] = partial(verified_file, verify=verify)
        super().__init__(path)


def description_in(path: Path) -> dict[str, str]:
    """What the folder says of its map: its key, its run's id (empty before that was begun); nothing where it is none."""
    try:
        with open(path / DESCRIPTION, "rb") as file:
            found = json.loads(file.read(100_000))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
