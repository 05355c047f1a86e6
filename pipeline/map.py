"""`python -m pipeline.map map=NAME` trains a run for each pixel of two continuous axes, draws and records them."""

import sys
from typing import Any

from pipeline.app.application import output_folder, run, words


def main(config: dict[str, Any]) -> int:
    """Makes the map, or trains one pixel of it; gives the exit code."""
    from pipeline.maps.recording.request import read_map, unreachable_lines

    request = read_map(config)
    if request.pixel is not None:
        from pipeline.maps.recording.pixel import show_pixel

        show_pixel(request)
        return 0
    from pipeline.maps.recording.artifacts import in_words, question
    from pipeline.maps.recording.session import make_map
    from pipeline.report.announcement import announce
    from pipeline.report.command import command_of
    from pipeline.sweeps.session import UnfinishedError

    announce([request.grid.batch_key], unreachable_lines(request))
    print(request)
    try:
        made = make_map(request, output_folder(), command_of(words(), ["pipeline.map"]))
    except UnfinishedError as error:
        print(error, file=sys.stderr)
        return 1
    for line in (question(request), in_words(made.found.metrics), *made.found.sentences, *made.film, f"digest {made.digest}"):
        print(line)
    print(f"recorded as run {made.run_id} in {made.store.uri}; {made.store.how_to_look(made.run_id)}")
    print("a pixel's command, its curve and its cause: the same command with map.pixel=[x,y]")
    return 0


if __name__ == "__main__":
    run(main, "map")
