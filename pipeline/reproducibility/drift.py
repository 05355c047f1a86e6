"""A recorded result against the same trial trained again: whether they are the same bits, and if not, what differs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Progress
from pipeline.backprop.engines import engine as engine_named
from pipeline.results.run_result import Curve, RunResult
from pipeline.trials.batching import make_batches
from pipeline.trials.trial import Trial

LARGEST = np.finfo(float).max
MOST_ULPS = 1_000_000  # that are counted: more is a relative difference
ENVIRONMENT = ("version.", "system", "cpu", "mlflow.source.git.commit")  # the tags that describe one


@dataclass(frozen=True, slots=True)
class ExpectedRun:
    """An earlier result; curve and weights (None: not kept) are read only if it has drifted; `name` says where it is."""

    name: str
    trial: Trial
    key: str
    status: str
    epochs: int
    final_error: float
    digest: str
    curve: Callable[[], Curve] = lambda: (np.array([], np.int64), np.array([]))
    weights: Callable[[], Mapping[str, Array] | None] = lambda: None
    trained_by: str = ""  # the engine, if it is known
    cause_digest: str | None = None  # None: not recorded


@dataclass(frozen=True, slots=True)
class Check:
    """One recorded result beside that of an engine now. No changes: it was reproduced."""

    recorded: ExpectedRun
    engine: str
    result: RunResult
    changes: tuple[str, ...] = ()
    agreed: int | None = None  # the last kept epoch at which the errors are equal
    parted: int | None = None  # the first at which they are not
    errors: tuple[float, float] | None = None  # there


def train_again(
    trials: Sequence[Trial], engine: str, curve_points: int, progress: Progress | None = None, with_causes: bool = False
) -> list[RunResult]:
    """Trains the trials, those of one batch key together; gives their results in their order. Raises ConfigError."""
    results: list[Any] = [None] * len(trials)
    for indices, batch in make_batches(trials, curve_points):
        trained = engine_named(engine)(batch, progress)
        for index, result in zip(indices, RunResult.of_batch(trained, with_causes, engine), strict=True):
            results[index] = result
    return results


def compare(recorded: ExpectedRun, engine: str, result: RunResult) -> Check:
    """Whether the result is the recorded one, and if not, what differs."""
    changes = []
    if recorded.key != result.key:
        changes.append(f"the trial itself: its key was {recorded.key[:12]}… and is {result.key[:12]}…")
    if recorded.status != result.status:
        changes.append(f"status {recorded.status} → {result.status}")
    if recorded.epochs != result.epochs:
        changes.append(f"epochs {recorded.epochs:,} → {result.epochs:,}")
    if not same(recorded.final_error, result.final_error):
        then, now = recorded.final_error, result.final_error
        changes.append(f"final error {then!r} → {now!r}, {distance(then, now)}")
    if recorded.digest != result.digest:
        changes.append(changed_weights(recorded.weights(), result, alone=not changes))
    if recorded.cause_digest not in (None, result.cause_digest):
        changes.append("the cause, or its numbers" if changes else "the cause, or its numbers, and nothing else")
    if not changes:
        return Check(recorded, engine, result)
    return Check(recorded, engine, result, tuple(changes), *part(recorded.curve(), result.curve))


def changed_weights(weights: Mapping[str, Array] | None, result: RunResult, alone: bool) -> str:
    """What a changed digest means for the weights; `alone` if nothing else has changed."""
    if weights is None:
        return "final weights, or the recorded digest itself" if alone else "final weights"
    changes = []
    for name, now in result.weights.items():
        then = weights.get(name)
        if then is None or then.shape != now.shape:
            changes.append(f"{name} had another shape")
        elif count := int((~same(then, now)).sum()):
            with np.errstate(all="ignore"):
                most = np.abs(then - now).max()
            changes.append(f"{name} in {count} of {now.size} numbers by up to {most:.2g}")
    if changes:
        return ", ".join(changes)
    return "the recorded digest itself: the weights are equal" if alone else "no weights, but the digest"


def same(one: Any, other: Any) -> Any:
    """Equal to the last bit, elementwise. A NaN is a NaN; the largest number stands for infinity, as in MLflow's stores."""
    one, other = np.clip(one, -LARGEST, LARGEST), np.clip(other, -LARGEST, LARGEST)
    return (one == other) | (np.isnan(one) & np.isnan(other))


def distance(one: float, other: float) -> str:
    """How far apart two errors are, in units in the last place if these are few."""
    low, high = sorted((one, other))
    if not np.isfinite([one, other]).all():
        return "not both finite"
    ulps = int(np.float64(high).view(np.int64)) - int(np.float64(low).view(np.int64))
    if low >= 0.0 and ulps <= MOST_ULPS:
        return f"{ulps:,} ulp"
    return f"{(other - one) / one:+.2g} of it" if one else "from nothing"


def part(then: Curve, now: Curve) -> tuple[int | None, int | None, tuple[float, float] | None]:
    """(last equal epoch, first unequal epoch, the two errors there), of the epochs that both curves keep."""
    epochs, left, right = np.intersect1d(then[0], now[0], return_indices=True)
    one, other = then[1][left], now[1][right]
    unequal = np.flatnonzero(~same(one, other))
    if not len(unequal):
        return (int(epochs[-1]) if len(epochs) else None), None, None
    first = unequal[0]
    return (int(epochs[first - 1]) if first else None), int(epochs[first]), (float(one[first]), float(other[first]))


def in_words(check: Check) -> str:
    """A drift, in a few lines."""
    lines = [f"{check.recorded.name}, trained by {check.engine}", f"  changed: {'; '.join(check.changes)}"]
    if check.errors:
        before = "the first kept epoch" if check.agreed is None else f"equal up to epoch {check.agreed:,}"
        then, now = check.errors
        lines.append(f"  the curves part at epoch {check.parted:,} ({before}): error {then!r} → {now!r}")
    elif check.agreed is not None:
        lines.append(f"  the curves are equal at every kept epoch that both have, up to epoch {check.agreed:,}")
    return "\n".join(lines)


def row(check: Check) -> dict[str, Any]:
    """A check as a row of the table."""
    cells = {
        "run": check.recorded.name,
        "engine": check.engine,
        "reproduced": not check.changes,
        "changed": "; ".join(check.changes),
        "equal_up_to_epoch": check.agreed,
        "curves_part_at_epoch": check.parted,
        "recorded_by": check.recorded.trained_by,
    }
    for name in ("key", "status", "epochs", "final_error", "digest"):
        for prefix, value in (("recorded_", getattr(check.recorded, name)), ("", getattr(check.result, name))):
            cells[prefix + name] = value.hex() if name == "final_error" else value
    return cells


def environment_changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two environments, from their tags: `version.numpy 2.1.0 → 2.4.6`."""
    changes = []
    for name in dict.fromkeys(name for name in (*then, *now) if name.startswith(ENVIRONMENT)):
        old, new = then.get(name, "unknown"), now.get(name, "unknown")
        if name == "cpu.features" and old != new:
            lost, gained = (" ".join(sorted(set(a.split()) - set(b.split()))) for a, b in ((old, new), (new, old)))
            changes.append(f"{name} only then: {lost or 'none'}; only now: {gained or 'none'}")
        elif old != new:
            changes.append(f"{name} {old} → {new}")
    return changes
