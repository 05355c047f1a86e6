"""report.html: a sweep as one page that needs no network."""

from pipeline.report.page.contents import sections
from pipeline.report.page.document import render, write_report

__all__ = ["render", "sections", "write_report"]
