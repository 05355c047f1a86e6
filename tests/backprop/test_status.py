"""The statuses: their codes and words are recorded, and their meanings are the same wherever they are explained."""

import re
from pathlib import Path

import numpy as np

from pipeline.backprop.status import STATUSES, Status
from pipeline.report.page.glossary import MEANINGS

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


def test_codes_and_words_are_those_of_every_record():
    assert STATUSES == ("converged", "stationary", "exhausted", "diverged")
    assert [status.word for status in map(Status, np.arange(4, dtype=np.int8))] == list(STATUSES)


def test_the_page_on_statistics_and_the_report_say_what_a_status_means():
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    for status in Status:
        assert rows[status.word].replace("`", "") == MEANINGS[status.word] == status.meaning
