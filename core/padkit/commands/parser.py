"""The command-line parser of padkit's commands, which reports a mistake in one line."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from padkit.errors import SettingsError
from padkit.settings.ranges import bare, describe, outside


class Number:
    """Reads an option's number, as `type=` of `add_argument`: `type=Number(Count)`.

    Args:
        hint: `int` or `float` with its range, such as those of `padkit.settings.ranges`.
    """

    def __init__(self, hint: Any) -> None:
        self.hint = hint

    def __call__(self, text: str) -> float:
        """Return the number.

        Raises:
            argparse.ArgumentTypeError: It is none, or out of the range.
        """
        try:
            value: float = bare(self.hint)(text)
        except ValueError:
            value = float("nan")
        if outside(value, self.hint):
            raise argparse.ArgumentTypeError(f"expected {describe(self.hint)}, got {text!r}")
        return value


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises an error instead of printing its usage and exiting.

    Args:
        remedy: What the error advises; by default, to read the help.
    """

    def __init__(self, *args: Any, remedy: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.remedy = remedy or f"see {self.prog} --help"

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an option; its help ends with the range of its number."""
        if isinstance(settings.get("type"), Number):
            settings["help"] = f"{settings['help']}; {describe(settings['type'].hint)}"
        return super().add_argument(*names, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError."""
        raise SettingsError(f"{message}; {self.remedy}.")
