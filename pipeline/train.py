"""`python -m pipeline.train key=value …` trains one network; with `-m` and key=v1,v2 … a sweep of them."""

from typing import Any

from pipeline.app.application import multirun_tags, run


def main(config: dict[str, Any]) -> float:
    """One run, or one job of `hydra/sweeper=basic`; gives its objective."""
    from pipeline.sweeps.single import single

    return single(config, multirun_tags())


if __name__ == "__main__":
    run(main, "train")
