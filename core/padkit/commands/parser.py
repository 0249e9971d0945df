"""The command-line parser of padkit's commands: a mistake is one line, as everywhere."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from padkit.errors import SettingsError


class Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit.

    Args:
        remedy: What the error advises; by default to see the help.
    """

    def __init__(self, *args: Any, remedy: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.remedy = remedy or f"see {self.prog} --help"

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError."""
        raise SettingsError(f"{message}; {self.remedy}.")
