"""Sweeps of random design that are drawn from populations whose rates and costs are known."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

GRID = ndtri((np.arange(4000) + 0.5) / 4000)  # the quantiles of log epochs at which the truth is computed
AXES = {
    "learning_rate": [0.1, 0.5, 1.0, 5.0, 10.0],
    "initial.range": [0.5, 1.0, 2.0, 4.0],
    "momentum": [0.0, 0.5, 0.9],
    "network.activation": ["sigmoid", "tanh", "relu"],
    "task": ["xor", "two, or more"],
}
THRESHOLDS = [1e-2, 1e-3, 1e-5]
EFFECTS = {
    "none": lambda place: 0 * place,
    "rising": lambda place: place,
    "falling": lambda place: -place,
    "valley": lambda place: 2 * np.abs(place),
    "peak": lambda place: -2 * np.abs(place),
}
KINDS = ("any", "any", "any", "any", "any", "edge", "valley", "tied", "equal", "all", "none", "alone")
STARTS = (2, 4, 5, 6, 8, 10, 10, 20, 20, 50)
CAUSES = ("minimum", "plateau", "descending", "saturated", "oscillating", "frozen", "undecided", "unreachable", "symmetric")
STUCK = {"exhausted": np.inf, "diverged": 5.0, "stationary": 40.0}  # the epochs that a failed run takes, at most


@dataclass(frozen=True)
class KnownSweep:
    """A sweep with what is true of it: `truth`, a row per setting, has its rate and the mean of its epochs spent."""

    results: pd.DataFrame
    truth: pd.DataFrame
    starts: int
    kind: str

    @cached_property
    def axes(self) -> list[str]:
        return [name for name in self.truth if name not in ("rate", "spent")]

    @property
    def rate(self) -> float:
        """The share of all runs that converge."""
        return float(self.truth["rate"].mean())

    def cost(self, **values: Any) -> float:
        """The true ERT of the settings with these values, taken together."""
        some = self.truth
        for axis, value in values.items():
            some = some[some[axis] == value]
        return float(some["spent"].sum() / some["rate"].sum()) if some["rate"].sum() > 0 else np.inf


def known_sweep(number: int) -> KnownSweep:
    """The sweep of this number."""
    rng = np.random.default_rng(number)
    kind = KINDS[number % len(KINDS)]
    axes = _design(rng, kind)
    settings = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
    location, failing = _effects(rng, kind, axes, settings)
    horizon = _horizons(rng, kind, axes, settings)
    starts = 1 if kind == "alone" else int(rng.choice(STARTS))
    spread, noise = (0.5, 0.0) if kind == "tied" else (0.0, 0.0) if kind == "equal" else (0.5, 0.4)
    stuck = rng.choice(list(STUCK), p=[0.6, 0.2, 0.2])
    truth = _truth(settings, location, failing, horizon, np.hypot(spread, noise), STUCK[stuck])
    # one random number for each start and one for each training: settings that differ in their threshold alone share it
    differing = [axis for axis in axes if axis != "threshold"]
    training = settings.groupby(differing).ngroup().to_numpy() if differing else np.zeros(len(settings), int)
    shared, own = rng.normal(size=(2, starts)), rng.normal(size=(2, starts, training.max() + 1))[:, :, training]
    mixed = shared[1][:, None] if kind in ("tied", "equal") else (shared[1][:, None] + own[1]) / np.sqrt(2)
    epochs = np.ceil(np.exp(location + spread * shared[0][:, None] + noise * own[0]))
    failed = ndtr(mixed) < failing
    converged = ~failed & (epochs <= horizon)
    spent = np.where(failed, np.minimum(STUCK[stuck], horizon), np.minimum(epochs, horizon))
    status = np.where(converged, "converged", np.where(failed & (STUCK[stuck] < horizon), stuck, "exhausted"))
    rows = settings.loc[np.tile(np.arange(len(settings)), starts)].reset_index(drop=True)
    if starts > 1:
        rows.insert(int(rng.integers(0, len(axes) + 1)), "seed", np.repeat(np.arange(starts), len(settings)))
    error = np.where(status.ravel() == "diverged", np.nan, 0.02 + rng.random(len(rows)))
    error = np.where(converged.ravel(), 0.9 * rows.get("threshold", 1e-3), error)
    results = rows.assign(
        status=status.ravel(), epochs=spent.ravel().astype(int), final_error=error, horizon=np.tile(horizon, starts).astype(int)
    )
    return KnownSweep(with_causes(results, number) if number % 4 else results, truth, starts, kind)


def with_causes(results: pd.DataFrame, number: int) -> pd.DataFrame:
    """The results with a random cause for each run that was exhausted or diverged; some of them lie far from their goal."""
    rng = np.random.default_rng([number, 15])
    runs, status = len(results), results["status"].to_numpy(object)
    drawn = rng.choice(CAUSES, runs, p=rng.dirichlet(np.ones(len(CAUSES))))
    error = results["final_error"].to_numpy(float)
    return results.assign(
        cause=np.select([status == "exhausted", status == "diverged"], [drawn, "diverged"], None),
        cause_number=np.where(rng.random(runs) < 0.1, np.inf, rng.lognormal(7, 2, runs)),
        cause_goal=error / rng.lognormal(2, 1.5, runs),
        rho=rng.normal(1, 1, runs), lambda_min=rng.normal(size=runs), k_star=rng.lognormal(0, 1, runs),
    )  # fmt: skip


def _design(rng: np.random.Generator, kind: str) -> dict[str, list[Any]]:
    """Up to three axes and up to three thresholds."""
    names = [str(name) for name in rng.permutation(list(AXES))[: rng.integers(1, 4)]]
    if kind in ("edge", "valley") and "learning_rate" not in names:
        names[0] = "learning_rate"
    axes = {name: AXES[name][: max(2, int(rng.integers(2, 6)))] for name in names}
    if kind in ("edge", "valley"):
        axes["learning_rate"] = AXES["learning_rate"]
    elif rng.random() < 0.15:
        axes["max_epochs"] = [300, 1000]
    if thresholds := int(rng.integers(0, 4)):
        axes["threshold"] = THRESHOLDS[:thresholds]
    return axes


def _effects(rng: np.random.Generator, kind: str, axes: dict[str, list[Any]], settings: pd.DataFrame) -> Any:
    """The mean log epochs and the share of failures of each setting, (S,)."""
    location, logit = np.full(len(settings), 4.0), np.full(len(settings), rng.choice([-9.0, -3.5, -1.0, 0.0]))
    for axis, values in axes.items():
        place = (settings[axis].map({value: number for number, value in enumerate(values)}) / (len(values) - 1 or 1) - 0.5) * 2
        if axis == "threshold":
            location = location + 0.5 * (place + 1)
        elif kind not in ("tied", "equal") and axis != "max_epochs":
            effect = {"edge": "falling", "valley": "valley"}.get(kind) if axis == "learning_rate" else None
            effect, other = effect or rng.choice(list(EFFECTS)), rng.choice(list(EFFECTS))
            location = location + rng.choice([0.2, 0.6, 1.2]) * EFFECTS[effect](place)
            logit = logit + rng.choice([0.0, 0.5, 2.0]) * EFFECTS[other](place)
    failing = {"all": 0.0, "none": 1.0}.get(kind, 1 / (1 + np.exp(-np.asarray(logit, float))))
    if kind == "equal":
        failing = 0.0
    return np.asarray(location, float), np.broadcast_to(failing, len(settings)).astype(float)


def _horizons(rng: np.random.Generator, kind: str, axes: dict[str, list[Any]], settings: pd.DataFrame) -> np.ndarray:
    """The max_epochs of each setting, (S,): an axis, or the same for all, or shorter at one value of the first axis."""
    if kind in ("all", "equal", "tied"):
        return np.full(len(settings), 100_000.0)
    if "max_epochs" in axes:
        return settings["max_epochs"].to_numpy(float)
    first = next(iter(axes))
    if first != "threshold" and rng.random() < 0.3:
        return np.where(settings[first] == axes[first][0], 300.0, 1000.0)
    return np.full(len(settings), 1000.0)


def _truth(settings: pd.DataFrame, location: Any, failing: Any, horizon: Any, spread: float, stuck: float) -> pd.DataFrame:
    """The settings with their rate and the mean of their epochs spent."""
    epochs = np.ceil(np.exp(location[:, None] + spread * GRID))
    within = epochs <= horizon[:, None]
    spent = np.minimum(epochs, horizon[:, None]).mean(1)
    return settings.assign(
        rate=(1 - failing) * within.mean(1), spent=(1 - failing) * spent + failing * np.minimum(stuck, horizon)
    )
