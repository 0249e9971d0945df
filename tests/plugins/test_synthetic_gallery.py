"""The photographs that attacks are simulated of: what else a folder holds is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

from PIL import Image

from padkit.data.unread import Unread
from padkit_synthetic.photographs.gallery import find_photographs
from padkit_synthetic.photographs.recordings import RecordingPlan
from padkit_synthetic.photographs.simulate import describe


def test_what_lies_beside_photographs_is_counted(tmp_path):
    names = [b"anna/1.jfif", b"anna/caf\xe9.png", b"ben\xff/1", b"ben\xff/notes.txt", b"ben\xff/more/2.png"]
    names += [b"@eaDir/1.png", b"anna/.x.png", b"README.md"]
    for name in names:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/faces/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    unread = Unread()
    found = find_photographs(tmp_path / "faces", unread=unread)
    assert {name: len(paths) for name, paths in found.items()} == {"anna": 2, "ben": 1}
    assert {entry["reason"]: entry["count"] for entry in unread.entries()} == {
        "no photographs": 2,
        "hidden": 1,
        "hidden folders and those of the system": 1,
        "folders below a subject's": 1,
    }
    described = describe(tmp_path / "faces", found, [], RecordingPlan(0, 64, ("print",), 1))
    assert json.dumps(described, ensure_ascii=False).encode()
