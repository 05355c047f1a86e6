"""What will be learned, said before it is: of each table a line; what will not be, and oddities, on stderr."""

import sys
from collections.abc import Iterable, Sequence

from pipeline.trials.tasks import load
from pipeline.trials.tasks.description import in_one_line, warnings, without_effect
from pipeline.trials.trial import BatchKey

MOST = 10  # tables of a sweep, and oddities of each


def announce(batch_keys: Iterable[BatchKey], unreached: Sequence[str] = (), starts: Sequence[str] = ()) -> None:
    """Prints what the tables among the tasks of these batch keys were read as; and what has no effect on any of the tasks.

    `unreached`: lines on thresholds that cannot be reached; those on bounds of tables are left out then. `starts`: on starts.
    """
    tables = {(key.task, key.output_activation): load(key.task) for key in batch_keys}
    sources = {task: loaded.source for (task, _), loaded in tables.items() if loaded.source}
    for source in list(sources.values())[:MOST]:
        print(in_one_line(source))
    if len(sources) > MOST:
        print(f"… and {len(sources) - MOST:,} more tables or choices of columns")
    idle = dict.fromkeys(line for (task, _), loaded in tables.items() for line in without_effect(task, loaded.source))
    for line in list(idle)[:MOST]:
        print(line, file=sys.stderr)
    for line in [*unreached[:MOST], *starts]:
        print(line, file=sys.stderr)
    for (task, activation), loaded in tables.items():
        if loaded.source and task in list(sources)[:MOST]:
            for line in list(warnings(loaded.source, loaded.inputs, loaded.targets, activation, not unreached))[:MOST]:
                print(line, file=sys.stderr)
