"""Names and values from elsewhere are shown as the text that they are: in a terminal, a spreadsheet, Markdown."""

import io
import re
import sys

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from pipeline.errors import ConfigError, printable
from pipeline.report import tables
from pipeline.report.answer import comparison_in_words
from pipeline.report.documents import DOCUMENTS, Contents
from pipeline.report.note import note
from pipeline.reproducibility.check import fenced
from pipeline.results.csv_tables import csv_text
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.summary import Summary
from tests.designs import HOSTILE, sweep

TERMINAL = "a\x1b[2J\x9b0m\r\n\t\x07\x7f\u202e\u2066\u200f\u2028\ud800z"
SHOWN = r"a\x1b[2J\x9b0m\r\n\t\x07\x7f\u202e\u2066\u200f\u2028\ud800z"
MARKUP = [
    HOSTILE, "a|b", "`code`", "*it* **b**", "_it_ __b__", "[a](http://b)", "![a](b)", "<b>b</b>", "&lt;&amp;&#65;", "a\\|b",
    "\\*a\\*",
    "# head", "#", "- item", "+ item", "1. item",
    "~~gone~~", "http://a.b", "www.a.b", "a@b.c", "@name", ":smile:",
    "$x$", "=", "---", "[2]",
    "learning_rate", "-0.5", "a_b_c", "> quote", "a  b",
]  # fmt: skip


def test_control_characters_are_shown_and_not_sent():
    assert printable(TERMINAL) == SHOWN
    assert printable("αβγ – «ü» 中 😀 [2]\\x") == "αβγ – «ü» 中 😀 [2]\\x"
    assert printable("a\nb\rc", lines=True) == "a\nb\\rc"
    assert str(ConfigError(TERMINAL, [TERMINAL], TERMINAL)) == f"{SHOWN}=[{SHOWN}]: {SHOWN}"
    for code in range(sys.maxunicode + 1):
        if chr(code) != "\\" and not chr(code).isprintable() and (code < 0x100 and code != 0xA0 and code != 0xAD):
            assert printable(chr(code)) != chr(code), hex(code)


def hostile_sweep(text: str) -> SweepResults:
    """A sweep with an axis, values and a name that are this text."""
    table = sweep(**{text: [text, "b"], "momentum": [0.5, 0.2], "seed": range(3)})
    return SweepResults(table, (text, "momentum", "seed"), text, run_id="a")


@pytest.mark.parametrize("style", ["text", "markdown"])
@pytest.mark.parametrize("sweeps", [1, 2])
def test_documents_send_no_control_characters(style, sweeps):
    one = hostile_sweep(TERMINAL.replace("\ud800", ""))  # half of a character, which no table can hold
    document = DOCUMENTS[style](Contents([one] * sweeps))
    assert all(line.isprintable() for line in document.split("\n"))
    assert SHOWN.replace(r"\ud800", "").replace("[", "\\[").replace("\\", "") in document.replace("\\", "")
    printed = tables.report(Summary(one.observations)) + comparison_in_words(one.observations, one.observations[1:])
    assert all(line.isprintable() for line in printed.split("\n"))


def rendered(markdown: str) -> str:
    """The HTML of Markdown as GitHub has it."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def cells(html: str) -> list[str]:
    """The cells of a table in HTML."""
    return re.findall(r"<t[dh]>(.*?)</t[dh]>", html, re.DOTALL)


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_shows_the_literal_text(text):
    from html import unescape

    table = pd.DataFrame({text: [text, "x"], "n": [1.0, -2.5]})
    shown = [unescape(cell) for cell in cells(rendered(tables.as_markdown(table)))]
    literal = " ".join(text.split())
    assert shown == [literal, "n", literal, "1", "x", "-2.5"]
    for line in (f"# {tables.markdown_text(text)}", tables.markdown_text(text)):
        [inner] = re.findall(r"^<(?:h1|p)>(.*)</(?:h1|p)>$", rendered(line).strip(), re.DOTALL)
        assert unescape(inner) == literal
        assert "<" not in inner


def test_a_sweeps_note_and_document_have_no_markup_of_others():
    for text in MARKUP:
        one = hostile_sweep(text)
        for page in (note(Summary(one.observations)), DOCUMENTS["markdown"](Contents([one]))):
            tags = set(re.findall(r"<(\w+)", rendered(page)))
            assert tags <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code"}, (text, tags)
            assert rendered(page).count("<code>") in (0, 4)


def test_a_fenced_text_does_not_end_its_fence():
    for text in ("plain", "a\n```\n# b", "a\n``````\n<b>"):
        assert rendered(fenced(text)).count("<pre>") == 1
        assert "<b>" not in rendered(fenced(text))
        assert "<h1>" not in rendered(fenced(text))


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(\"http://a\",\"b\")", "-", "+a"]  # fmt: skip
HARMLESS = ["a", "a=1", " =1", "'a", "a,b", 'a"b', "a\nb", "-0.5", "+1e-3", "-inf", "[2]", "x@y"]


def test_no_cell_of_a_csv_table_is_a_formula():
    table = pd.DataFrame({"=name": [*FORMULAS, *HARMLESS]})
    table["number"] = np.linspace(-1e300, 5e-324, len(table))
    table["whole"] = -np.arange(len(table))
    read = pd.read_csv(io.StringIO(csv_text(table)), keep_default_na=False)
    assert list(read) == ["'=name", "number", "whole"]
    assert read["'=name"].tolist() == [*(f"'{text}" for text in FORMULAS), *HARMLESS]
    pd.testing.assert_frame_equal(read[["number", "whole"]], table[["number", "whole"]])


def test_tables_that_are_kept_have_no_formulas(tmp_path):
    one = hostile_sweep("=1+1")
    tables.write_tables(Summary(one.observations), tmp_path)
    files = list((tmp_path / "summary").glob("*.csv"))
    assert {"by_setting", "best", "by__1+1", "by_momentum"} <= {file.stem for file in files}
    for file in files:
        assert not re.search(r'(^|,)"?=', file.read_text(), re.MULTILINE)
    document = DOCUMENTS["csv"](Contents([one]))
    assert pd.read_csv(io.StringIO(document))["'=1+1"].unique().tolist() == ["'=1+1", "b"]
