"""Values as the parser reads them."""

from __future__ import annotations

import pytest

from padkit.errors import SettingsError
from padkit.settings.parser import make_parser, parse


@pytest.mark.parametrize(("hint", "given"), [(float, ".nan"), (float, float("nan")), (list[float], "1,.nan")])
def test_what_is_not_a_number_is_refused_however_it_is_written(hint: type, given: object) -> None:
    parser = make_parser("toy", "", test_what_is_not_a_number_is_refused_however_it_is_written, "")
    parser.add_argument("--rate", type=hint)
    with pytest.raises(SettingsError, match=r"setting 'rate': expected .*float.*, got .*nan"):
        parse(parser, {"rate": given}, {"rate": hint})
