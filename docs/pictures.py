"""Makes the README's picture again: `make pictures`."""

from pathlib import Path

import pipeline as bp

PICTURE = Path(__file__).parent / "convergence.png"


def main() -> None:
    """Trains the default study, in this process, and draws its heat map."""
    sweep = bp.sweep("study=convergence")
    sweep.heat_map("learning_rate", "initial.range").savefig(PICTURE, dpi=110, metadata={"Software": None})
    print(f"{PICTURE}\n\n{sweep}")


if __name__ == "__main__":
    main()
