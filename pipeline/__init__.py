"""From which initial weights, learning rates and thresholds does backpropagation converge, and how fast?"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "1.1.0"

# The public API by the module that has it, imported when it is first used: `import pipeline` itself takes no time.
API = {
    **dict.fromkeys(("train", "sweep", "load", "Run", "Sweep"), "pipeline.api"),
    "Summary": "pipeline.stats.summary",
    "ConfigError": "pipeline.errors",
}


def __getattr__(name: str) -> Any:
    if name in API:
        return getattr(import_module(API[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *API})


class Package(ModuleType):
    """`pipeline.train` is the function, even once the command pipeline/train.py is imported, which would take its name."""

    @property
    def train(self) -> Any:
        """The function of the API."""
        return __getattr__("train")

    @train.setter
    def train(self, module: ModuleType) -> None:
        """The import system offers the command here."""


sys.modules[__name__].__class__ = Package
