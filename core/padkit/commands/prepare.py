"""`padkit prepare`: turns a dataset's media into a folder with a table of face crops. Imports no torch."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from padkit.catalog import Catalog
from padkit.data.preparation.census import census_lines, take_census
from padkit.data.preparation.cropping import EVENTS, Cropper
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.output import exclusive, sweep
from padkit.data.preparation.prepare import FINISHED, FrameTable, prepare
from padkit.data.preparation.scrfd import LICENCE, scrfd_weights
from padkit.data.reader import DatasetReader
from padkit.data.unread import total
from padkit.errors import DataError, SettingsError, closest
from padkit.files import write_json
from padkit.settings.commands import read_options
from padkit.settings.paths import absolute_paths
from padkit.settings.ranges import Processes

PROG = "padkit prepare"
PROTOCOLS = "protocols.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Choose frames of a dataset's media, find the face in each, crop it, and store the crops as a table.

    Args:
        out: Folder for the table, new or begun by the same command: an interrupted preparation goes on.
        workers: Processes; null takes one for each core if that is worth it.
        strict: Stop at the first file that cannot be read and the first frame without a face.
        compress: Deflate the crops, lossless either way: the table takes about 0.6 of the space, but encoding a crop
            takes ten times as long, and decoding it, which training repeats, seven times.
        download: Let insightface download the detector of `--face scrfd` if it is missing.
    """

    out: str
    workers: Processes | None = None
    strict: bool = False
    compress: bool = False
    download: bool = False

    def __post_init__(self) -> None:
        if not self.out:
            raise SettingsError("--out is empty; give a folder.")


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    Raises:
        PadkitError: An option, the dataset or the output folder is wrong; or, with `--strict`, a file is wrong.
    """
    catalog = Catalog()
    if not arguments or arguments[0].startswith("-"):
        return _usage(catalog, arguments)
    name = arguments[0]
    # Messages and docs write a dataset's settings as recipes do.
    words = [f"--{word.removeprefix('--data.')}" if word.startswith("--data.") else word for word in arguments[1:]]
    factory = catalog.factory("dataset", name)
    given = {"image_size": "size", "room": "room"}  # settings of readers that are options of every preparation
    given = {setting: option for setting, option in given.items() if setting in _parameters(factory)}
    sections: dict[str, Callable[..., Any]] = {"output": Output, "choices": CropOptions, name: factory}
    values = read_options(sections, words, f"{PROG} {name}", hidden=[*given])
    values[name] = absolute_paths(factory, values[name])
    output, options = Output(**values["output"]), CropOptions(**values["choices"])
    if options.face == "scrfd":
        print(f"note: {LICENCE}")
        model = scrfd_weights(options.face_model, download=output.download)
        options = dataclasses.replace(options, face_model=str(model))
    chosen = {setting: getattr(options, option) for setting, option in given.items()}
    reader = catalog.build("dataset", name, {**values[name], **chosen})
    with exclusive(Path(output.out).expanduser()):
        _prepare(name, values[name], reader, options, output)
    return 0


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(factory).parameters


def _usage(catalog: Catalog, arguments: Sequence[str]) -> int:
    known = catalog.names("dataset")
    if not {"-h", "--help"} & {*arguments}:
        raise SettingsError(f"{PROG} needs a dataset first: {PROG} DATASET --out DIR ...{closest('', known)}")
    purpose = (Output.__doc__ or "").partition("\n")[0]
    print(f"usage: {PROG} DATASET --out DIR [--NAME VALUE ...]\n\n{purpose}\n\ndatasets:")
    for dataset in known:
        print(f"  {dataset:<14} {catalog.component('dataset', dataset).summary}")
    print(f"\n{PROG} DATASET --help shows every option.")
    return 0


def _prepare(
    name: str, settings: Mapping[str, Any], reader: DatasetReader, options: CropOptions, output: Output
) -> None:
    out = Path(output.out).expanduser()
    cropper = Cropper(reader, options, compress=output.compress)
    _refuse_unused(name, cropper, options)
    census = take_census(cropper.records(), reader.expected)
    print(*census_lines(census), sep="\n", flush=True)
    told = {"settings": dict(settings), "choices": cropper.options.facts(), "compress": output.compress}
    finished = (out / FINISHED).exists()
    table = prepare(
        cropper,
        dataset_name=name,
        folder=out,
        request={"dataset": name, "room": cropper.options.room, **told},
        facts={**told, "census": [{**dataclasses.asdict(row), "remark": row.remark} for row in census]},
        strict=output.strict,
        workers=output.workers,
    )
    _write_protocols(reader, out, strict=output.strict)
    sweep(out)
    _tell(table, align=cropper.options.align, finished=finished)


def _refuse_unused(name: str, cropper: Cropper, options: CropOptions) -> None:
    """Refuse options of finding faces for media that are taken whole.

    Raises:
        SettingsError: One was given.
    """
    if cropper.options.face != "none":
        return
    unused = [option for option in ("margin", "align") if getattr(options, option) != getattr(CropOptions(), option)]
    if unused:
        own = "; --face_margin is its own" if "face_margin" in _parameters(type(cropper.reader)) else ""
        raise SettingsError(
            f"--{unused[0]} has no effect: the pictures of {name} are taken whole, as face crops{own}; leave it out."
        )


def _write_protocols(reader: DatasetReader, out: Path, *, strict: bool) -> None:
    """Write the official protocols, by name; a protocol whose list is missing is reported and left out.

    Raises:
        DataError: With `strict`, a list is missing or wrong.
    """
    protocols = reader.protocols()
    written: dict[str, Any] = {}
    for name in protocols:
        try:
            written[name] = dataclasses.asdict(protocols[name])
        except DataError as error:
            if strict:
                raise
            print(f"left out: protocol {name}: {error}", file=sys.stderr)
    if written:
        write_json(out / PROTOCOLS, written)


def _tell(table: FrameTable, *, align: bool, finished: bool) -> None:
    preparation = table.preparation
    kept = preparation["presentations"] - len({entry["presentation"] for entry in table.skipped})
    print(f"{'finished before' if finished else 'finished'}: {table.folder}")
    rows = [
        (len(table), "frames"),
        (kept, f"of {preparation['presentations']} presentations"),
        (len(table.skipped), "files or presentations skipped"),
        (total(preparation.get("unread", ())), "files, folders or rows skipped unread"),
    ]
    untold = {event for event, told in (("not_aligned", align), ("hint_of_another_frame", False)) if not told}
    counts = preparation["counts"]
    rows += [(counts.get(event, 0), text) for event, text in EVENTS.items() if counts.get(event) or event not in untold]
    width = max(len(str(count)) for count, _ in rows)
    print(*(f"{count:>{width}}  {text}" for count, text in rows), sep="\n")
