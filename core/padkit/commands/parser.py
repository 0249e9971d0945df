"""The command-line parser of padkit's commands, which reports a mistake in one line."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from padkit.errors import SettingsError


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises an error instead of printing its usage and exiting.

    Args:
        remedy: What the error advises; by default, to read the help.
    """

    def __init__(self, *args: Any, remedy: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.remedy = remedy or f"see {self.prog} --help"

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError."""
        raise SettingsError(f"{message}; {self.remedy}.")
