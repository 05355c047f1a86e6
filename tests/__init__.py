"""The tests; what several of them use stands in modules of its own, beside the rooms."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
