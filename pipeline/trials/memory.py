"""What one run takes of memory, known before its arrays are made, and what is free."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.backprop.network import Network
from pipeline.errors import ConfigError

GIB = 2**30
MOST_PARAMETERS = 100_000_000  # weights and biases of one network
COPIES = 8  # of the parameters and of the outputs of a run: initial, final, gradient, velocity, in work, as rows


def free_memory() -> int:
    """Bytes of memory that this process may still take."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def check_size(network: Network, patterns: int, limits: object = None) -> None:
    """Raises ConfigError for a network that is too large, or takes more than `limits` (as in a configuration) or what is free.

    `limits.memory` is in GiB.
    """
    hidden = list(network.units[1:-1])
    if network.size > MOST_PARAMETERS:
        what = f"has {network.size:,} weights and biases: at most {MOST_PARAMETERS:,}"
        raise ConfigError("network.hidden", hidden, what)
    limit = limit_of(limits)
    needed = 8 * COPIES * (network.size + patterns * sum(network.units))
    allowed = free_memory() if limit is None else limit * GIB
    if needed > allowed:
        what = f"a run may take {needed / GIB:.3g} GiB of memory, and "
        what += f"{allowed / GIB:.3g} GiB are {'free' if limit is None else 'allowed'}"
        raise ConfigError("network.hidden", hidden, what)


def limit_of(limits: object) -> float | None:
    """The GiB that `limits.memory` allows, None without such a limit, as far as it is one."""
    size: Any = limits.get("memory") if isinstance(limits, Mapping) else None
    return float(size) if isinstance(size, int | float) and not isinstance(size, bool) and size > 0 else None
