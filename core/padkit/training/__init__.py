"""What recipes are built from: start, objective, distillation, parts of the loop, scoring and writing the results."""

from __future__ import annotations

from padkit.training.distillation import FrozenTeachers, TeacherOptions
from padkit.training.experiment import Experiment
from padkit.training.loop import keep, require_finite, seed_run, seed_step, training_bar
from padkit.training.objective import Objective
from padkit.training.optimisation import averaged, make_optimizer, parameter_groups, warm_up_cosine
from padkit.training.outcome import conclude, quoted_policies
from padkit.training.selection import best_yet, judge_target, judging_interval
from padkit.training.start import loader_workers, open_run, resume_arguments, start
from padkit.training.teaching import fit_teachers, teaching_figures, training_images

__all__ = [
    "Experiment",
    "FrozenTeachers",
    "Objective",
    "TeacherOptions",
    "averaged",
    "best_yet",
    "conclude",
    "fit_teachers",
    "judge_target",
    "judging_interval",
    "keep",
    "loader_workers",
    "make_optimizer",
    "open_run",
    "parameter_groups",
    "quoted_policies",
    "require_finite",
    "resume_arguments",
    "seed_run",
    "seed_step",
    "start",
    "teaching_figures",
    "training_bar",
    "training_images",
    "warm_up_cosine",
]
