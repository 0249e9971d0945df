"""Collects, in one folder, what a GPU machine without network lacks for the trial of DTDA; `make wheelhouse` calls it.

    python benchmarks/wheelhouse.py [--out build/wheelhouse] [--python-version 3.12] [--present FILE] [--limit 64]

The folder gets padkit's own wheel, the wheels of all that it needs and the machine lacks (ImageNet weights among them),
dlib's weights, finished runs of the trial if some are kept, and `gpu_trial.py`, which uses all that over there. The
machine is a 64-bit Linux PC with a usual PyTorch image; `--present` takes the output of its `python -m pip list
--format=freeze` in place of the names below. Versions are those installed here. Above the limit it fails.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from padkit.errors import DataError, SettingsError, pip_install, run_as_command
from padkit_dlib.dat import SHA256, find, read

ROOT = Path(__file__).parents[1]
ITSELF, EXTRAS = "padkit", ("imagenet",)  # `dlib` is left out: of its package of 100 MB only the weights are needed
SCRIPT = ROOT / "benchmarks" / "gpu_trial.py"
KEPT = [ROOT / "benchmarks" / "results" / f"{plan}.jsonl" for plan in ("large", "trial")]
# What padkit and the collected packages themselves ask for and such an image holds.
PRESENT = """
accelerate filelock fsspec huggingface-hub jinja2 markupsafe matplotlib numpy packaging pandas pillow pluggy psutil
pyarrow pyyaml rich safetensors scikit-learn scipy tensorboard timm torch torchvision tqdm typing-extensions xxhash"""
LINUX = {
    "implementation_name": "cpython", "os_name": "posix", "platform_machine": "x86_64",
    "platform_python_implementation": "CPython", "platform_system": "Linux", "sys_platform": "linux",
}  # fmt: skip
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)] + ["manylinux2014_x86_64", "linux_x86_64"]
MIB = 2**20


def read_present(text: str) -> dict[str, str]:
    """Return name -> version ("" if not told) from words or from lines `name==version`, as pip writes them.

    Raises:
        SettingsError: A line is of another form.
    """
    found = {}
    for word in filter(str.strip, text.splitlines() if "==" in text else text.split()):
        match = re.fullmatch(r"\s*([A-Za-z0-9][\w.-]*)(?:==(\S+)| @ \S+)?\s*", word)
        if match is None:
            raise SettingsError(f"--present: {word!r} is no package; give the output of `pip list --format=freeze`.")
        found[canonicalize_name(match[1])] = match[2] or ""
    return found


def lacking(present: Mapping[str, str], python: str, extras: Iterable[str] = EXTRAS) -> list[str]:
    """Return the distributions that padkit with `extras` needs and a machine lacks, padkit itself not among them.

    Args:
        present: The machine's packages by normalised name, with versions; "" is any version.
        python: Its Python, such as 3.12.
        extras: Extras of padkit.

    Raises:
        DataError: One of them is not installed here, so that its own needs are not known.
    """
    here = {**LINUX, "python_version": python, "python_full_version": f"{python}.0"}
    done: set[tuple[str, str]] = set()
    queue = [(ITSELF, ""), *((ITSELF, extra) for extra in extras)]
    while queue:
        name, extra = one = queue.pop()
        if one in done:
            continue
        done.add(one)
        try:
            asked = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError as error:
            raise DataError(f"{name} is not installed here; {pip_install('padkit[all]')} first.") from error
        for need in asked:
            if need.marker and not need.marker.evaluate({**here, "extra": extra}):
                continue
            wanted = canonicalize_name(need.name)
            told = present.get(wanted)
            if told is None or (told and not need.specifier.contains(told, prereleases=True)):
                queue += [(wanted, ""), *((wanted, more) for more in need.extras)]
    return sorted({name for name, _ in done} - {ITSELF})


def download(names: Sequence[str], python: str) -> list[str]:
    """Return the command that downloads the wheels of `names`, as installed here, for the machine."""
    where = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    return [
        *pip,
        "--python-version",
        python,
        "--implementation",
        "cp",
        *where,
        *(f"{name}=={version(name)}" for name in names),
    ]


def build() -> list[str]:
    """Return the command that makes padkit's own wheel."""
    return [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        str(ROOT),
    ]


def empty(out: Path) -> None:
    """Make the folder, or remove from it what this command wrote before.

    Raises:
        DataError: It holds something else.
    """
    known = [*out.glob("*.whl"), *out.glob("*.dat"), out / SCRIPT.name, *(out / kept.name for kept in KEPT)]
    strange = sorted(set(out.iterdir()) - set(known)) if out.exists() else []
    if strange:
        raise DataError(f"{out} holds {strange[0].name}, which this command did not make; choose another --out.")
    for path in known:
        path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def check_size(out: Path, limit: float) -> str:
    """Return a table of the folder's files with their sizes.

    Raises:
        DataError: Together they have more than `limit` MiB.
    """
    sizes = {path.name: path.stat().st_size / MIB for path in sorted(out.iterdir())}
    total = sum(sizes.values())
    if total > limit:
        largest = max(sizes, key=sizes.__getitem__)
        raise DataError(
            f"{out} has {total:.1f} MiB, more than {limit:g}; the largest is {largest} ({sizes[largest]:.1f}). "
            "Name what the machine has in --present, or raise --limit."
        )
    lines = [f"{size:8.1f} MiB  {name}" for name, size in sizes.items()]
    return "\n".join([*lines, f"{total:8.1f} MiB  together, of {limit:g}, in {out}"])


def run_pip(command: Sequence[str], out: Path) -> None:
    """Run pip in the folder.

    Raises:
        DataError: It fails.
    """
    done = subprocess.run(command, cwd=out, check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    if done.returncode:
        cause = next(
            (line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "no reason given"
        )
        raise DataError(
            f"pip {command[3]} failed ({cause.removeprefix('ERROR: ')}); it needs the network and the extra `dlib`."
        )


def main() -> int:
    """Collect everything and print its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "wheelhouse", help="folder to fill")
    parser.add_argument("--python-version", default="3.12", help="the machine's Python (3.12)")
    parser.add_argument("--present", type=Path, metavar="FILE", help="what it has: `pip list --format=freeze`")
    parser.add_argument("--limit", type=float, default=64, help="MiB that the folder may have (64)")
    options = parser.parse_args()
    weights = find(None)
    read(weights, SHA256)
    names = lacking(read_present(options.present.read_text() if options.present else PRESENT), options.python_version)
    empty(options.out)
    run_pip(build(), options.out)
    run_pip(download(names, options.python_version), options.out)
    for path in (weights, SCRIPT, *(kept for kept in KEPT if kept.exists())):
        shutil.copy(path, options.out)
    print(check_size(options.out, options.limit))
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
