"""The command-line parser of padkit's commands: a mistake is one line, as everywhere."""

from __future__ import annotations

import argparse
from typing import NoReturn

from padkit.errors import SettingsError


class Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError."""
        raise SettingsError(f"{message}; see {self.prog} --help.")
