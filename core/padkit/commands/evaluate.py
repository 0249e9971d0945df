"""`padkit evaluate`: assesses runs, score files from any program, and models on data, also other programs' models."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from padkit.commands import peer
from padkit.commands.parser import Number, Parser
from padkit.data.column_names import SCORE_COLUMNS
from padkit.data.labels import stated_values
from padkit.errors import SettingsError, closest
from padkit.evaluation.assessment import assess
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.comparison import PairedComparison, compare_candidates
from padkit.evaluation.export import to_csv, to_json
from padkit.evaluation.methods import Method, methods_of
from padkit.evaluation.results import ProtocolSummary
from padkit.evaluation.score_files import ColumnNames
from padkit.evaluation.selection import CHECKPOINT_SELECTIONS, MEAN_LAST
from padkit.evaluation.statistics.bootstrap import FEWEST
from padkit.evaluation.thresholds import POLICIES, check_policy
from padkit.files import write_atomically
from padkit.report.tables.evaluation import (
    comparison_notes,
    comparison_table,
    method_notes,
    method_tables,
    methods_table,
)
from padkit.report.tables.layout import MADE_BY, Table, latex, markdown, terminal
from padkit.report.tables.stability import flips_table, stability_tables
from padkit.runs.candidates import read_candidate
from padkit.runs.finished import stability_of
from padkit.runs.folder import RunFolder
from padkit.settings.ranges import Seed, Whole

EPILOG = f"""\
A score file has one row per presentation (or per frame: frames of one presentation are averaged) and the columns
label (1, live, real, bona_fide, ... or 0, spoof, attack, ...; --bona-fide states other values, and a line below the
tables says how labels were read) and score, P(bona fide) in [0, 1]; where known also
{", ".join(name for name in SCORE_COLUMNS if name not in {"label", "score"})}.
Common synonyms are understood (padkit.data.column_names lists them). A part `dev` chooses the threshold of
source-dev, or of dev-eer where its domain is the test part's; `source-dev` and `target-dev` say which it is.

padkit evaluate MODEL --data NAME ... scores data of your own with a trained model and assesses it at the model's own
thresholds, with the stability of its verdicts, its errors over face size, and what its AUC leans on: colour, the
camera, the preparation. MODEL is a run's folder, its model/ folder, an installed model's name, or owner/name on the
Hugging Face Hub; padkit evaluate MODEL --data folder --help shows the options.

padkit evaluate --model FILE --adapter NAME --data NAME ... scores another program's ONNX files (padkit plugins lists
the peers that are known) and assesses them as a file of their scores would be.
"""


def parse(arguments: Sequence[str], data: Sequence[str] = ()) -> argparse.Namespace:
    """Return the command line, checked; `data` are the words about the dataset that a model scores.

    Raises:
        SettingsError: An option is unknown, or its value is not valid.
    """
    parser = Parser(
        prog="padkit evaluate", description="Assess runs and score files under named threshold policies.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("files", nargs="*", metavar="RUN_OR_SCORES", help="run folder, or CSV, TSV or Parquet file of scores")
    add("--policy", action="append", default=[], help=f"{', '.join(POLICIES)}; repeat for several, the first is quoted")
    add(
        "--bootstrap",
        type=Number(Whole),
        default=1000,
        metavar="N",
        help="95 %% intervals of N resamples (%(default)s); 0 for none",
    )
    add("--bootstrap-seed", type=Number(Seed), default=0, metavar="N", help="seed of the resamples (%(default)s)")
    add("--against", metavar="OTHER", help="compare in pairs with another run or file on the same presentations")
    add("--column", action="append", default=[], metavar="COLUMN=NAME", help="name of a score file's column; repeat")
    add("--bona-fide", metavar="A,B", help="label values that mean bona fide, such as 0 or client; others are attacks")
    add("--attack-scores", action="store_true", help="scores of the files are P(attack)")
    add("--seeds", metavar="A,B", help="the files are runs of one method with these seeds, in order")
    selections = [name for name in CHECKPOINT_SELECTIONS if name != MEAN_LAST]  # which is of no checkpoint
    add("--selection", choices=selections, help="how the checkpoints behind the files were selected")
    add("--protocol", metavar="'A&B->C'", help="training and test domains of the models behind the files")
    for name in ("json", "markdown", "latex", "csv"):
        add(f"--{name}", type=Path, metavar="FILE", help=f"write {name} as well")
    peer.add_options(parser)
    line = parser.parse_args(arguments)
    peer.check(line, data)
    if not line.files and not line.model:
        raise SettingsError("padkit evaluate: name a run folder or a file of scores, or --model FILE with --data NAME.")
    for policy in line.policy:
        check_policy(policy)
    if line.bootstrap and line.bootstrap < FEWEST:
        raise SettingsError(f"--bootstrap {line.bootstrap}: takes {FEWEST} resamples or more, 1000 say.")
    if line.against and (count := len(line.files) + bool(line.model)) > 1:
        raise SettingsError(f"--against compares two; {count} were given before it.")
    return line


@dataclass(frozen=True, slots=True)
class _Told:
    """What the user states about score files that do not contain this information."""

    columns: ColumnNames
    seeds: tuple[int, ...]
    selection: str
    protocol: ProtocolSummary | None

    def read(self, text: str, number: int | None) -> Candidate:
        """Read a candidate; for a score file, add what the user states. `number` is the file's position, if any."""
        candidate = read_candidate(text, self.columns)
        if candidate.protocol is not None:
            return candidate
        return replace(
            candidate,
            seed=self.seeds[number] if self.seeds and number is not None else None,
            method="--seeds" if self.seeds and number is not None else None,
            selection=self.selection,
            protocol=self.protocol,
        )


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    own, data = peer.apart(arguments)
    if data and not peer.is_asked(own):
        from padkit.commands.evaluate_model import main as evaluate_model

        return evaluate_model(arguments)
    line = parse(own, data)
    told = _told(line)
    candidates = [peer.scored(line, data)] if line.model else []
    candidates += [told.read(text, number) for number, text in enumerate(line.files)]
    options = {"resamples": line.bootstrap, "seed": line.bootstrap_seed, "shown": True}
    methods = methods_of([assess(candidate, line.policy, **options) for candidate in candidates])
    comparison = None
    if line.against:
        comparison = compare_candidates(candidates[0], told.read(line.against, None), line.policy, **options)
    _write(line, methods, comparison, f"{MADE_BY}{shlex.join(['padkit', 'evaluate', *arguments])}")
    return 0


def _write(
    line: argparse.Namespace, methods: Sequence[Method], comparison: PairedComparison | None, made_by: str
) -> None:
    """Print the tables and write the requested files."""
    told = {"resamples": line.bootstrap, "seed": line.bootstrap_seed}
    blocks: list[tuple[list[Table], list[str]]] = [
        (method_tables(each), [*method_notes(each, **told), made_by]) for each in methods
    ]
    if len(methods) > 1:
        blocks.append(([methods_table(methods)], [made_by]))
    if steady := _stability(line.files):
        blocks.append((steady, [made_by]))
    if comparison is not None:
        blocks.append(([comparison_table(comparison)], [*comparison_notes(comparison, **told), made_by]))
    texts = (
        (line.json, to_json(methods, comparison, **told)),
        (line.csv, to_csv(methods, comparison)),
        (line.markdown, "\n".join(markdown(*block) for block in blocks)),
        (line.latex, "\n".join(latex(*block) for block in blocks)),
    )
    for path, text in texts:
        if path is not None:
            write_atomically(path.expanduser(), text.encode())
    console = Console()
    for tables, notes in blocks:
        console.print(terminal(tables, notes[:-1]))
        console.print()


def _stability(texts: Sequence[str]) -> list[Table]:
    """Return how the verdicts of those runs hold in which that was measured: in full of one, in short of several."""
    folders = {text: RunFolder(Path(text).expanduser()) for text in texts}
    found = {text: known for text, folder in folders.items() if (known := stability_of(folder))}
    return stability_tables(next(iter(found.values()))) if len(found) == 1 else [flips_table(found)] if found else []


def _told(line: argparse.Namespace) -> _Told:
    names = {}
    for text in line.column:
        column, equals, name = text.partition("=")
        if not (column and equals and name):
            raise SettingsError(f"--column {text!r}: write --column score=NAME.{closest(column, SCORE_COLUMNS)}")
        names[column.strip()] = name
    seeds = tuple(_seed(word) for word in line.seeds.split(",")) if line.seeds else ()
    if seeds and len(seeds) != len(line.files):
        raise SettingsError(f"--seeds names {len(seeds)} for {len(line.files)} files; name one each.")
    stated = line.bona_fide.split(",") if line.bona_fide is not None else None
    columns = ColumnNames(names, line.attack_scores, stated_values(stated, "--bona-fide"))
    return _Told(columns, seeds, line.selection or "", _protocol(line.protocol))


def _seed(word: str) -> int:
    if not word.strip().isdecimal():
        raise SettingsError(f"--seeds {word!r}: is no whole number; write --seeds 0,1,2.")
    return int(word)


def _protocol(text: str | None) -> ProtocolSummary | None:
    if text is None:
        return None
    sources, arrow, target = (part.strip() for part in text.replace("→", "->").partition("->"))
    names = tuple(name.strip() for name in sources.split("&"))
    if not (arrow and target and all(names)):
        raise SettingsError(f"--protocol {text!r}: write the training domains and the test domain, 'O&C&I->M'.")
    name = f"{'&'.join(names)}->{target}"
    return ProtocolSummary(name=name, convention="as told", sources=names, target=target, simulated=False)
