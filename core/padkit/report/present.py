"""Presents a finished run: writes its page and prints its table. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from padkit.report.page.mistakes import faces_of
from padkit.report.page.page import write_page
from padkit.report.tables.evaluation import run_view
from padkit.runs.finished import read_run


def present(path: Path) -> None:
    """Write the page of the finished run in the folder `path`; print its table and the page's path.

    Raises:
        DataError: The folder holds no finished run, or cannot be written.
    """
    run = read_run(path)
    page = write_page(run, faces_of(run))
    Console().print(run_view(run.results))
    print(f"report: {page}")
