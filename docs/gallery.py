"""Makes the pictures of docs/gallery.md again: `make gallery`, or `python -m docs.gallery NAME …` for some of them."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pipeline.app.composition import compose
from pipeline.maps.recording.artifacts import find, in_words, write_artifacts
from pipeline.maps.recording.request import read_map
from pipeline.maps.training import train

FOLDER = Path(__file__).parent / "gallery"
MAPS = ("worked_example", "xor_weights", "momentum", "tanh_weights", "two_rates")
LARGEST = 150_000  # bytes of a picture


def draw(name: str) -> None:
    """Trains one map, in this process, and puts its labelled picture into docs/gallery/."""
    request = read_map(compose([f"map={name}"], "map"))
    result = train(request.grid, request.settings.engine)
    found = find(request, result)
    with TemporaryDirectory() as folder:
        write_artifacts(Path(folder), request, result, found)
        picture = Image.open(Path(folder, "picture.png")).convert("RGB")
    path = FOLDER / f"{name}.png"
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print("\n".join([f"{path} ({size:,} bytes)", in_words(result), *found.sentences]), flush=True)
    if size > LARGEST:
        sys.exit(f"{path}: more than {LARGEST:,} bytes")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MAPS:
        draw(chosen)
