"""What recipes are built from: start, objective, distillation, parts of the loop, scoring and writing the results."""

from __future__ import annotations

from padkit.training.agreement import follow, main_process_prepares
from padkit.training.compiling import compile_networks
from padkit.training.distillation import FrozenTeachers, TeacherOptions
from padkit.training.experiment import Experiment
from padkit.training.image_size import check_image_size
from padkit.training.jitter import jitter_within
from padkit.training.learner import Learner, make_learner
from padkit.training.loader import naming_dead_workers
from padkit.training.loop import (
    LateLosses,
    batches_from,
    keep,
    require_finite,
    require_room,
    seed_run,
    seed_step,
    training_bar,
)
from padkit.training.objective import Objective
from padkit.training.optimisation import averaged, clip, make_optimizer, parameter_groups, realign, warm_up_cosine
from padkit.training.outcome import conclude, quoted_policies
from padkit.training.selection import best_yet, judge_target, judging_interval
from padkit.training.sharding import prepare_parts, share_out, whole, whole_state
from padkit.training.start import (
    begin_tracking,
    choose_threads,
    loader_workers,
    open_run,
    read_run_settings,
    reserve_folder,
    start,
)
from padkit.training.teaching import fit_teachers, teaching_figures, training_images
from padkit.training.threads import ThreadTuner

__all__ = [
    "Experiment",
    "FrozenTeachers",
    "LateLosses",
    "Learner",
    "Objective",
    "TeacherOptions",
    "ThreadTuner",
    "averaged",
    "batches_from",
    "begin_tracking",
    "best_yet",
    "check_image_size",
    "choose_threads",
    "clip",
    "compile_networks",
    "conclude",
    "fit_teachers",
    "follow",
    "jitter_within",
    "judge_target",
    "judging_interval",
    "keep",
    "loader_workers",
    "main_process_prepares",
    "make_learner",
    "make_optimizer",
    "naming_dead_workers",
    "open_run",
    "parameter_groups",
    "prepare_parts",
    "quoted_policies",
    "read_run_settings",
    "realign",
    "require_finite",
    "require_room",
    "reserve_folder",
    "seed_run",
    "seed_step",
    "share_out",
    "start",
    "teaching_figures",
    "training_bar",
    "training_images",
    "warm_up_cosine",
    "whole",
    "whole_state",
]
