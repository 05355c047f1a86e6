"""The description of a sweep's parent run: the addresses of its own artifacts in it, which a copy has elsewhere."""

import re

NOTE_TAG = "mlflow.note.content"
ADDRESSES = (
    (
        re.compile(r"(\(#/experiments/)\w+(/runs/)\w+(/artifacts/report\.html(?:\?workflowType=\w+)?\))"),
        r"\g<1>{experiment}\g<2>{run}\g<3>",
    ),
    (re.compile(r"(\(get-artifact\?path=figures/\w+\.png&run_uuid=)\w+(\))"), r"\g<1>{run}\g<2>"),
)


def addressed(note: str, experiment: str, run: str) -> str:
    """The description with addresses of this run."""
    for pattern, address in ADDRESSES:
        note = pattern.sub(address.format(experiment=experiment, run=run), note)
    return note
