"""JSON lines are read as far as they are whole."""

from __future__ import annotations

import pytest

from padkit.errors import DataError
from padkit.files import read_json_lines


@pytest.mark.parametrize("rest", [b"", b'{"step": ', b"\xff\xfe", b"[1]\n", b"5\n", b"null\n"])
def test_lines_are_read_up_to_a_damaged_one(tmp_path, rest):
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 1}\n{"step": 2}\n' + rest)
    assert read_json_lines(tmp_path / "log.jsonl") == [{"step": 1}, {"step": 2}]


def test_a_missing_log_is_empty_and_a_folder_is_refused(tmp_path):
    assert read_json_lines(tmp_path / "log.jsonl") == []
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(DataError, match=r"log\.jsonl: cannot be read \(Is a directory\)"):
        read_json_lines(tmp_path / "log.jsonl")
