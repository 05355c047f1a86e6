"""`python -m pipeline.train key=value …` trains one network; with `-m` and key=v1,v2 … a sweep of them."""

from omegaconf import DictConfig

from pipeline.application import plain, run


def main(config: DictConfig) -> int:
    """One run, or one job of `hydra/sweeper=basic`."""
    from pipeline.single import single

    return single(plain(config))


if __name__ == "__main__":
    run(main, "train")
