"""Folder trees whose levels could be misread, and layouts that say what they mean, of folders and lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.labels import WORDS, plain, stated_values
from padkit.data.presentation import Presentation
from padkit.errors import PadkitError, SettingsError
from padkit_folder.huggingface import HuggingFaceReader
from padkit_folder.layout import Layout
from padkit_folder.levels import guess
from padkit_folder.manifest import ManifestReader
from padkit_folder.tree import FolderReader

Facts = dict[str, tuple[object, ...]]


def tree(root: Path, names: Sequence[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def read(root: Path, *facts: str, **settings: object) -> tuple[Facts, list[str]]:
    reader = FolderReader(root=str(root), **settings)  # type: ignore[arg-type]
    return {r.id: tuple(getattr(r, fact) for fact in facts) for r in reader.records()}, list(reader.notes())


def refused(root: Path, *parts: str, **settings: object) -> None:
    with pytest.raises(PadkitError) as error:
        read(root, **settings)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


# ---- folders that name a domain and are label words


@pytest.mark.parametrize("cameras", [["0", "1", "2", "3"], ["1"], ["0", "1.0", "true"], ["01", "office"]])
@pytest.mark.parametrize("words", [("live", "spoof"), ("Real", "FAKE"), ("bona-fide", "attack")])
def test_cameras_with_numbers_are_domains_where_words_name_labels(tmp_path, cameras, words):
    names = [f"{camera}/{word}/{n}.png" for camera in cameras for word in words for n in range(2)]
    found, (line,) = read(tree(tmp_path, names), "domain", "label")
    assert found == {name: (name.split("/")[0], int(name.split("/")[1] == words[0])) for name in names}
    assert line == (
        f"labels: '{words[0]}' = bona fide ({2 * len(cameras)}), '{words[1]}' = attack ({2 * len(cameras)}), by folder "
        "name."
    )


def test_an_archive_unpacked_into_itself(tmp_path):
    names = ["live/live/a.png", "spoof/spoof/b.png", "o/Spoof/spoof/print/c.png"]
    found, notes = read(tree(tmp_path / "r", names), "domain", "label", "species")
    assert list(found.values()) == [("r", 1, ""), ("o", 0, "print"), ("r", 0, "unspecified")]
    assert len(notes) == 1
    refused(tree(tmp_path / "s", ["1/1/a.png"]), "may both name the label")


def test_a_stray_file_beside_the_words_is_not_labelled_by_the_cameras_number(tmp_path):
    refused(tree(tmp_path, ["1/live/a.png", "1/spoof/b.png", "1/c.png"]), "c.png", "names no label")


def test_persons_with_numbers_below_label_words(tmp_path):
    found, notes = read(tree(tmp_path, ["live/1/a.png", "live/0/b.png", "spoof/2/c.png"]), "label", "attack_type")
    assert found == {"live/1/a.png": (1, ""), "live/0/b.png": (1, ""), "spoof/2/c.png": (0, "unspecified")}
    assert "--data.layout '{label}/{subject}/*'" in notes[1]


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("real/spoof/a.png", "{domain}/{label}/*"),
        ("genuine/train/fake/x/a.png", "{domain}/{split}/{label}/*/*"),
        ("live/anna/attack/a.png", "{domain}/*/{label}/*"),
        ("real/live/a.png", "{domain}/{label}/*"),
        ("1/0/a.png", "{domain}/{label}/*"),
        ("0/1/2/a.png", "{domain}/{label}/*/*"),
        ("spoof/train/live/b.png", "{domain}/{split}/{label}/*"),
    ],
)
def test_two_folders_that_may_be_the_label_are_refused_with_the_layout(tmp_path, name, layout):
    refused(tree(tmp_path, [name]), "may both name the label", f"--data.layout '{layout}'")
    found, _ = read(tmp_path, "domain", "label", layout=layout)
    label = name.split("/")[layout.split("/").index("{label}")]
    assert found[name] == (name.split("/")[0], int(label in {"live", "1"}))


def test_numbers_as_labels_at_two_levels_are_refused(tmp_path):
    refused(tree(tmp_path, ["2/1/a.png", "0/3/b.png"]), "Numbers name labels at different levels", "{domain}/{label}/*")


def test_numbers_name_labels_and_the_line_says_so(tmp_path):
    root = tree(tmp_path / "r", ["0/a.png", "1/b.png", "1/c.png"])
    found, (line,) = read(root, "label")
    assert [label for (label,) in found.values()] == [0, 1, 1]
    assert line.endswith("by folder name; if 1 means attack, add --data.bona_fide 0.")
    found, (line,) = read(root, "label", bona_fide=["0"])
    assert [label for (label,) in found.values()] == [1, 0, 0]
    assert line == "labels: '0' = bona fide (1), '1' = attack (2), by folder name, as --data.bona_fide 0 states."


# ---- own names


@pytest.mark.parametrize(
    ("bona_fide", "names"),
    [
        (["client"], ["a/client/x.png", "a/imposter/y.png", "b/Client/x.png", "b/imposter/y.png"]),
        (["ClientRaw"], ["ClientRaw/0001/x.png", "ImposterRaw/0002/y.png"]),
        (["live"], ["a/live/x.png", "a/imposter/y.png"]),
        (["echt", "live"], ["train/echt/x.png", "train/maske/y.png", "test/live/x.png", "test/foto/y.png"]),
    ],
)
def test_own_names_of_labels(tmp_path, bona_fide, names):
    found, (line,) = read(tree(tmp_path, names), "label", bona_fide=bona_fide)
    assert [found[name] for name in names] == [(int(name.endswith("x.png")),) for name in names]
    assert f"as --data.bona_fide {','.join(name.lower() for name in bona_fide)} states" in line


def test_own_names_unstated_are_refused_with_the_option(tmp_path):
    refused(tree(tmp_path, ["client/x.png", "imposter/y.png"]), "'client'", "names no label", "--data.bona_fide NAME")
    refused(tmp_path, "--data.bona_fide live names no folder below", bona_fide=["live"])


def test_own_names_at_two_levels_or_beside_known_words_are_refused(tmp_path):
    root = tree(tmp_path / "1", ["client/x.png", "a/client/x.png"])
    refused(root, "--data.bona_fide client names folders of different levels", bona_fide=["client"])
    root = tree(tmp_path / "2", ["a/client/x.png", "real/imposter/y.png"])
    refused(root, "'real' and 'imposter'", "'{domain}/{label}/*'", bona_fide=["client"])
    root = tree(tmp_path / "3", ["a/client/x.png", "real/y.png"])
    refused(root, "y.png", "names no label", bona_fide=["client"])


# ---- persons below labels


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["live/anna/1.png", "live/ben/1.png", "spoof/anna/1.png", "spoof/ben/1.png"], "{label}/{subject}/*"),
        (
            ["o/live/s1/1.png", "o/spoof/S1/1.png", "p/live/s2/1.png", "p/spoof/s2/1.png"],
            "{domain}/{label}/{subject}/*",
        ),
        (["train/real/7/a/1.png", "train/attack/7/a/1.png", "test/real/8/a/1.png"], "{split}/{label}/{subject}/*/*"),
    ],
)
def test_names_below_both_labels_are_no_attack_types(tmp_path, names, layout):
    found, notes = read(tree(tmp_path, names), "species", "attack_type", "label")
    assert {species for species, _, label in found.values() if not label} == {"unspecified"}
    assert notes[1].startswith("warning: ")
    assert "stand below both bona fide and attack" in notes[1]
    assert f"--data.layout '{layout}'" in notes[1]
    stated, notes = read(tmp_path, "subject", "species", layout=layout)
    place = layout.split("/").index("{subject}")
    assert {name: subject for name, (subject, _) in stated.items()} == {n: n.split("/")[place] for n in sorted(names)}
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("below", "attacks"), [(("p1", "p2"), ("p3", "p4")), (("001", "002"), ("103",)), (("s1_a", "s2_a"), ("s3_a", "x"))]
)
def test_names_that_are_numbered_like_those_below_bona_fide_are_no_attack_types(tmp_path, below, attacks):
    names = [f"live/{name}/1.png" for name in below] + [f"spoof/{name}/1.png" for name in attacks]
    found, notes = read(tree(tmp_path, names), "species")
    assert {*found.values()} == {("",), ("unspecified",)}
    assert "folders below attack are numbered like those below bona fide" in notes[1]
    assert "--data.layout '{label}/{subject}/*'" in notes[1]


@pytest.mark.parametrize(
    "below",
    [
        (("anna",), ("print/anna", "replay/anna")),
        (("phone1", "phone2"), ("print1", "replay2")),
        (("0",), ("1", "2")),
        ((".",), ("1", "2")),
    ],
)
def test_attack_types_are_no_persons(tmp_path, below):
    live, spoof = below
    found, notes = read(
        tree(
            tmp_path, [f"{label}/{name}/1.png" for label, names in (("live", live), ("spoof", spoof)) for name in names]
        ),
        "species",
    )
    assert [species for (species,) in found.values() if species] == [name.partition("/")[0] for name in spoof]
    assert len(notes) == 1


# ---- layouts


@pytest.mark.parametrize(
    ("layout", "name", "parts"),
    [
        ("{label}/{subject}/{domain}/*", "live/a/hall/1.png", {"label": "live", "subject": "a", "domain": "hall"}),
        ("**/{label}/*", "a/b/c/spoof/1.png", {"label": "spoof"}),
        ("**/{label}/*", "spoof/1.png", {"label": "spoof"}),
        ("{label}/**", "spoof/x/y/1.png", {"label": "spoof"}),
        ("{subject}_{label}_*.png", "anna_live_a_b.png", {"subject": "anna", "label": "live"}),
        ("{subject}/{subject}_{label}.*", "anna/anna_live.png", {"subject": "anna", "label": "live"}),
        ("*/{label}(v2)/*", "x/live(v2)/1.png", {"label": "live"}),
        ("{domain}/{label}-{device}-{session}/*", "o/live-cam-2/1.png", {
            "domain": "o", "label": "live", "device": "cam", "session": "2"
        }),
    ],
)  # fmt: skip
def test_layouts(layout, name, parts):
    assert Layout(layout).read(name, "x") == parts


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("{label}/*", "a/live/1.png"),
        ("{label}/*/*", "live/1.png"),
        ("{subject}/{subject}_*", "anna/ben_1.png"),
        ("{label}/x.png", "live/xApng"),
    ],
)
def test_a_path_that_does_not_fit_is_named(layout, name):
    with pytest.raises(PadkitError, match=r"x does not fit --data\.layout"):
        Layout(layout).read(name, "x")


@pytest.mark.parametrize(
    ("layout", "match"),
    [
        ("", "blank level"),
        ("{label}//*", "blank level"),
        ("{lable}/*", "unknown part 'lable'. Did you mean 'label'"),
        ("{label/*", "malformed"),
        ("{label}/a**b", "malformed"),
        ("{label}/{subject}*", "leaves open where a part ends"),
        ("{label}/{subject}{session}_*", "leaves open where a part ends"),
        ("{label}/{presentation}/**", r"\*\* below"),
        ("{domain}/*", r"has no \{label\}"),
    ],
)
def test_malformed_layouts(tmp_path, layout, match):
    with pytest.raises(SettingsError, match=match):
        FolderReader(root=str(tmp_path), layout=layout)


@given(st.lists(st.text("ab_.()[]+^$", min_size=1, max_size=5), min_size=3, max_size=3))
def test_whole_levels_come_back_as_they_are(levels):
    parts = Layout("{domain}/{subject}/{label}/*").read("/".join((*levels, "1.png")), "x")
    assert [parts[name] for name in ("domain", "subject", "label")] == levels


def test_a_layout_and_a_pattern_that_tell_the_same_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"names \{subject\}, and so does subject_pattern"):
        FolderReader(root=str(tmp_path), layout="{label}/{subject}/*", subject_pattern="^(.+)_")


def test_a_layout_names_everything(tmp_path):
    layout = "{split}/{domain}/{device}/{session}/{label}/{attack_type}-{species}/{subject}/*"
    name = "Val/office/cam/s2/spoof/print-p1/anna/1.png"
    reader = FolderReader(root=str(tree(tmp_path / "r", [name])), layout=layout, subject_scope="domain")
    assert list(reader.records()) == [
        Presentation(
            dataset="r",
            domain="office",
            id=name,
            label=0,
            split="dev",
            subject="office/anna",
            attack_type="print",
            species="p1",
            device="cam",
            session="s2",
            path=str(tmp_path / "r" / name),
            frames=(0,),
        )
    ]
    assert reader.notes() == (f"labels: no bona fide, 'spoof' = attack (1), by layout {layout}.",)


def test_presentations_of_a_layout_group_frames_by_person_and_label(tmp_path):
    names = [f"{label}/{who}/clip1/{n}.png" for label in ("live", "spoof") for who in "ab" for n in range(2)]
    found, _ = read(tree(tmp_path / "1", names), "frames", layout="{label}/{subject}/{presentation}/*")
    assert found == {f"{label}/{who}/clip1": ((1,),) for label in ("live", "spoof") for who in "ab"}
    names = [f"a/{clip}_{label}_{n}.png" for clip in "xy" for label in ("live", "spoof") for n in range(2)]
    found, _ = read(tree(tmp_path / "2", names), "label", layout="{subject}/{presentation}_{label}_*")
    assert found == {f"a/{clip} {label}": (int(label == "live"),) for clip in "xy" for label in ("live", "spoof")}


def test_odd_labels_and_splits_of_a_layout(tmp_path):
    root = tree(tmp_path, ["trian/live/1.png"])
    refused(root, "unknown split 'trian'. Did you mean 'train'", layout="{split}/{label}/*")
    refused(root, "unknown label 'trian'", layout="{label}/*/*")
    refused(root, "does not fit", layout="{label}/*")


# ---- lists


def listed(folder: Path, text: str, **settings: object) -> tuple[list[Presentation], Sequence[str]]:
    (folder / "list.csv").write_text(text)
    reader = ManifestReader(file=str(folder / "list.csv"), **settings)  # type: ignore[arg-type]
    return list(reader.records()), reader.notes()


def test_a_layout_fills_what_the_columns_leave_out(tmp_path):
    text = "path,label\noffice/anna/c1/1.png,live\noffice\\anna\\c1\\2.png,live\nhall/ben/c1/1.png,spoof\n"
    records, _ = listed(tmp_path, text, layout="{domain}/{subject}/{presentation}/*")
    assert [(r.domain, r.subject, r.id, r.label) for r in records] == [
        ("office", "anna", "office/anna/c1", 1),
        ("office", "anna", "office/anna/c1", 1),
        ("hall", "ben", "hall/ben/c1", 0),
    ]  # fmt: skip
    records, notes = listed(
        tmp_path, "path\n/x/client/1.png\n/x/imposter/2.png\n", layout="**/{label}/*", bona_fide=["client"]
    )
    assert [r.label for r in records] == [1, 0]
    assert "by layout **/{label}/*" in notes[0]


def test_a_layout_that_names_a_column_or_does_not_fit_is_refused(tmp_path):
    for text, match in (
        ("path,label,person\na/1.png,live,x\n", "column for it .'person'"),
        ("path,label\n1.png,live\n", "line 2"),
    ):
        with pytest.raises(PadkitError, match=match):
            listed(tmp_path, text, layout="{subject}/*")


@pytest.mark.parametrize(
    ("head", "values", "settings", "labels"),
    [
        ("file,class", ["bona-fide", "Attack"], {}, [1, 0]),
        ("image,is_spoof", ["True", "False"], {}, [0, 1]),
        ("Filename,is_attack", ["1.0", "0.0"], {}, [0, 1]),
        ("video,y_true", ["1", "0"], {"bona_fide": ["0"]}, [0, 1]),
        ("path,target", ["client", "imposter"], {"bona_fide": ["client"]}, [1, 0]),
        ("path,label", ["0", "7"], {"bona_fide": ["0"]}, [1, 0]),
    ],
)
def test_labels_of_lists_as_of_score_files(tmp_path, head, values, settings, labels):
    records, notes = listed(tmp_path, f"{head}\n" + "".join(f"{n}.png,{v}\n" for n, v in enumerate(values)), **settings)
    assert [r.label for r in records] == labels
    assert notes[0].startswith("labels: ")
    assert not any(line.startswith("warning") for line in notes)


def test_a_list_of_the_other_polarity_is_doubted(tmp_path):
    text = "path,label\n" + "".join(f"f/{'live' if n % 2 else 'spoof'}/{n}.png,{1 - n % 2}\n" for n in range(6))
    _, notes = listed(tmp_path, text)
    assert notes[1].startswith("warning: 6 of 6 paths with a folder that names a label contradict their label")
    _, notes = listed(tmp_path, text, bona_fide=["0"])
    assert len(notes) == 1


def test_a_person_called_nan_is_unknown(tmp_path):
    records, _ = listed(tmp_path, "path,label,client_id\na.png,live,nan\nb.png,live,None\nc.png,live,Nan Li\n")
    assert [r.subject for r in records] == ["", "", "Nan Li"]


# ---- Hugging Face


@pytest.mark.parametrize(
    ("column", "values", "settings", "labels"),
    [
        ("label", [0, 1, 0], {"bona_fide": ["0"]}, [1, 0, 1]),
        ("label", ["client", "imposter", "Client"], {"bona_fide": ["client"]}, [1, 0, 1]),
        ("is_spoof", [True, False, True], {"label_column": "is_spoof"}, [0, 1, 0]),
        ("label", ["Bona Fide", "1.0", "ATTACK"], {}, [1, 1, 0]),
    ],
)
def test_labels_of_huggingface(tmp_path, column, values, settings, labels):
    import datasets

    rows = datasets.Dataset.from_dict({"image": [b""] * 3, column: values, "who": ["nan", "a", None]})
    rows.save_to_disk(str(tmp_path / "set"))
    reader = HuggingFaceReader(path=str(tmp_path / "set"), subject_column="who", **settings)
    records = list(reader.records())
    assert [r.label for r in records] == labels
    assert [r.subject for r in records] == ["", "a", ""]
    assert reader.notes()[0].startswith("labels: ")


# ---- any tree: the right label or a refusal, never another label

NAMES = ["0", "1", "2", "true", "real", "live", "Spoof", "fake", "office", "train", "anna", "print", "client"]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.booleans(), st.sampled_from(NAMES)), min_size=1, max_size=6),
    st.sampled_from([("live", "spoof"), ("bona fide", "ATTACK"), ("1", "0"), ("client", "imposter")]),
    st.sampled_from(["domain/label", "label/person", "domain/label/person", "label"]),
)
def test_a_guessed_label_is_right(files, labels, shape):
    paths, truths = [], []
    for number, (domain, bona_fide, person) in enumerate(files):
        parts = {"domain": domain, "label": labels[not bona_fide], "person": person}
        paths.append(Path("/root", *(parts[part] for part in shape.split("/")), f"{number}.png"))
        truths.append(int(bona_fide))
    values = stated_values(["client"] if labels[0] == "client" else None, "--data.bona_fide")
    try:
        places, _ = guess(Path("/root"), paths, values)
    except PadkitError:
        return
    found = [place.label for place in places]
    other = {plain(name) for file in files for name in (file[0], file[2])}
    if (labels == ("1", "0") and other & {*WORDS}) or (labels[0] == "client" and "client" in other):
        return  # taken at its word: `1/live`, or `imposter/client` where `client` is stated
    assert found == truths
    # `spoof/spoof` is taken as an archive unpacked into itself.
    if shape == "domain/label" and not any(plain(domain) in {"train", *map(plain, labels)} for domain, _, _ in files):
        assert [place.domain for place in places] == [domain for domain, _, _ in files]
