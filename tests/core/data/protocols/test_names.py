"""The grammar of protocols: printing and reading are inverse, and every mistake is one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from padkit.data.protocols.names import Across, Intra, Official, file_name, parse, split
from padkit.errors import PadkitError, SettingsError

AWKWARD = st.one_of(
    st.text(min_size=1, max_size=6),
    st.text(alphabet='ab&->":, \\\n.', min_size=1, max_size=6),
    st.sampled_from(["O", "intra", "intra:x", "celeba-spoof", "R&D"]),
)


@st.composite
def across(draw: st.DrawFn) -> Across:
    names = draw(st.lists(AWKWARD, min_size=2, max_size=5, unique=True))
    at = draw(st.integers(1, len(names) - 1))
    return Across(tuple(names[:at]), tuple(names[at:]))


NAMES = st.one_of(across(), st.builds(Intra, AWKWARD), st.builds(Official, AWKWARD, AWKWARD))


@settings(max_examples=500)
@given(st.lists(NAMES, min_size=1, max_size=3))
def test_what_is_printed_is_read_back(names: list) -> None:
    for name in names:
        assert parse(str(name)) == name
        assert parse(f"  {name} ") == name
    assert [parse(text) for text in split(",".join(map(str, names)))] == names


@settings(max_examples=500)
@given(st.text(alphabet='ab&->":, \\intra\n', max_size=12))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        name = parse(text)
    except PadkitError as error:
        assert "\n" not in str(error)  # noqa: PT017 -- refusing is one of the two right outcomes
        return
    assert parse(str(name)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("O&C&I->M", Across(("O", "C", "I"), ("M",))),
        (" O & C -> M ", Across(("O", "C"), ("M",))),
        ("O->C&I&M", Across(("O",), ("C", "I", "M"))),
        ("a:b->c", Across(("a:b",), ("c",))),
        ("face-a-->b", Across(("face-a-",), ("b",))),
        ('"R&D"->hall', Across(("R&D",), ("hall",))),
        ("intra:celeba-spoof", Intra("celeba-spoof")),
        ('intra:"a->b"', Intra("a->b")),
        ("oulu-npu:3.2", Official("oulu-npu", "3.2")),
        ("casia-surf-cefa:4@1", Official("casia-surf-cefa", "4@1")),
    ],
)
def test_names(text: str, name: object) -> None:
    assert parse(text) == name


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("M", "neither an arrow nor a colon"),
        ("", "neither an arrow nor a colon"),
        ("O->C->M", "more than one arrow"),
        ("->M", "one or more names"),
        ("O&->M", "one or more names"),
        ("O&C->", "one or more names"),
        ("O&O->M", "'O' stands there twice"),
        ("O&M->M", "'M' is among the sources and the targets"),
        ("intra:O&C", "one domain"),
        ("oulu-npu:", "a name is missing"),
        ('O->"M', "one or more names"),
        ('intra:a"b', "neither an arrow nor a colon"),
    ],
)
def test_mistakes(text: str, cause: str) -> None:
    with pytest.raises(SettingsError, match=cause) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert repr(text) in str(caught.value)
    assert "oulu-npu:1" in str(caught.value), "the forms are not shown"


def test_names_of_folders_are_tame() -> None:
    assert file_name("O&C&I->M") == "O+C+I-to-M"
    assert file_name("oulu-npu:3.2") == "oulu-npu-3.2"
    assert file_name('"R&D"->../x') == "R+D--to-..-x"
