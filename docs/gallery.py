"""Makes the pictures of docs/gallery.md again: `make gallery`, or `python -m docs.gallery NAME …` for some of them."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from pipeline.app.composition import compose
from pipeline.maps.pictures.colours import Bytes
from pipeline.maps.pictures.layers import ranks
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
    with_colours(picture, ranks(result, request.colours).colours).save(path, optimize=True)
    size = path.stat().st_size
    print("\n".join([f"{path} ({size:,} bytes)", in_words(found.metrics), *found.sentences]), flush=True)
    if size > LARGEST:
        sys.exit(f"{path}: more than {LARGEST:,} bytes")


def with_colours(picture: Image.Image, colours: Bytes) -> Image.Image:
    """The picture in these colours and, as far as there is room among 256, in greys for its letters: a byte for each pixel."""
    greys = np.rint(np.linspace(0, 255, 256 - len(colours))).astype(np.uint8)
    palette = np.concatenate([colours, np.repeat(greys[:, None], 3, axis=1)])
    pixels = np.asarray(picture, np.int64)
    found, place = np.unique(pixels @ [65536, 256, 1], return_inverse=True)
    apart = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)[:, None] - palette
    nearest = (apart**2).sum(axis=2).argmin(axis=1).astype(np.uint8)
    image = Image.fromarray(nearest[place].reshape(pixels.shape[:2]))
    image.putpalette(palette.tobytes())
    return image


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MAPS:
        draw(chosen)
