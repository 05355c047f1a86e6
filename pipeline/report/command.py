"""The command that makes a sweep again, as its report has it."""

import re
import shlex
from collections.abc import Sequence

from pipeline.errors import masked

# Overrides that say where and how, not what.
PLACES = (
    "tracking", "executor", "resume", "limits", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.run.", "hydra.mode",
    "hydra.output_subdir", "hydra/launcher", "hydra.launcher", "hydra.verbose", "hydra.job.chdir",
)  # fmt: skip
SECRET_VARIABLE = re.compile(r"hydra\.job\.env_set.*(KEY|SECRET|TOKEN|PASS|URI)", re.I)


def command_of(overrides: Sequence[str], program: Sequence[str] = ("pipeline.train", "-m")) -> str:
    """The command that makes a sweep, or with `program` something else, again, without where it was stored."""
    named = [(text, text.lstrip("+~")) for text in overrides]
    kept = [text for text, name in named if not name.startswith(PLACES) and not SECRET_VARIABLE.match(name)]
    return masked(shlex.join(["python", "-m", *program, *kept]))
