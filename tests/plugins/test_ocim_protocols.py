"""The four in whole, from their genuine file names to protocols: published counts under every convention."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import trees_ocim
from listed import prepared

from padkit.data.protocols.names import parse
from padkit.data.protocols.official import folds
from padkit.data.protocols.protocol import Protocol, divide
from padkit.data.table.columns import presentations_by_label
from padkit.data.table.frames import FrameTable, open_tables
from padkit_ocim.casia import CasiaFasdReader
from padkit_ocim.msu import MsuMfsdReader
from padkit_ocim.oulu import OuluNpuReader
from padkit_ocim.replay import ReplayAttackReader

READERS = {
    OuluNpuReader: trees_ocim.write_oulu,
    CasiaFasdReader: trees_ocim.write_casia,
    ReplayAttackReader: trees_ocim.write_replay,
    MsuMfsdReader: trees_ocim.write_msu,
}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> FrameTable:
    folders = []
    for reader, write in READERS.items():
        root = tmp_path_factory.mktemp("four")
        found = reader(root=str(write(root / "data", videos=False)))
        lists = {name: asdict(division) for name, division in found.protocols().items()}
        folders.append(prepared(root, found.records(), lists, image_size=8))
    return open_tables(folders)


def drawn(four: FrameTable, name: str, convention: str | None = None) -> Protocol:
    return divide(four, parse(name), convention=convention, divisions=four.divisions())


def of(four: FrameTable, rows) -> tuple[int, int]:
    found = presentations_by_label(four, rows)
    return found["bona_fide"], found["attack"]


@pytest.mark.parametrize(
    ("convention", "gives", "tested"),
    [
        ("official", {"O": (360, 1440), "C": (60, 180), "I": (60, 300), "M": (30, 90)},
         {"O": (360, 1440), "C": (90, 270), "I": (80, 400), "M": (40, 120)}),
        ("ssdg", *[{"O": (720, 2880), "C": (150, 450), "I": (140, 700), "M": (70, 210)}] * 2),
        ("all", *[{"O": (990, 3960), "C": (150, 450), "I": (200, 1000), "M": (70, 210)}] * 2),
    ],
)  # fmt: skip
def test_leave_one_out(four: FrameTable, convention: str, gives: dict, tested: dict) -> None:
    for target in "OCIM":
        sources = [domain for domain in "OCIM" if domain != target]
        protocol = drawn(four, f"{'&'.join(sources)}->{target}", convention)
        assert {domain: of(four, rows) for domain, rows in protocol.pools.items()} == {d: gives[d] for d in sources}
        assert of(four, protocol.test) == tested[target]
        trained = {domain for domain in sources if f"{domain}/dev" not in protocol.held_out}
        assert trained == set() if convention == "all" else trained == {"O", "I"} & set(sources)


PROTOCOLS = {
    "1": ((240, 960), (180, 720), (120, 480)),
    "2": ((360, 720), (270, 540), (360, 720)),
    "3": ((300, 1200), (225, 900), (60, 240)),
    "4": ((200, 400), (150, 300), (20, 40)),
}


def test_every_official_protocol_of_oulu(four: FrameTable) -> None:
    known = four.divisions()
    seen = 0
    for number, counts in PROTOCOLS.items():
        name = f"oulu-npu:{number}"
        for one in folds(name, known) or [name]:
            protocol = drawn(four, one)
            assert tuple(of(four, rows) for rows in protocol.parts().values()) == counts, one
            assert protocol.official_dev
            seen += 1
    assert seen == 14
