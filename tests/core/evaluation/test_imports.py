"""`evaluation` computes and lays nothing out: what prints or draws is not imported by it, nor by what it imports."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import pkgutil, sys
import padkit.evaluation
for module in pkgutil.walk_packages(padkit.evaluation.__path__, "padkit.evaluation."):
    __import__(module.name)
sys.exit(", ".join({"rich", "jinja2", "matplotlib", "torch", "padkit.report"} & set(sys.modules)) or 0)
"""


def test_evaluation_imports_nothing_that_lays_out_or_learns() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
