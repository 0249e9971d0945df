"""The four datasets of leave-one-dataset-out: OULU-NPU (O), CASIA-FASD (C), Replay-Attack (I), MSU-MFSD (M)."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import DatasetSpec


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Return the four readers."""
    return [
        DatasetSpec(
            name="oulu-npu",
            summary="OULU-NPU (domain O): 55 subjects, 4950 videos, protocols 1, 2, 3.1-3.6, 4.1-4.6",
            factory="padkit_ocim.oulu:OuluNpuReader",
            licence="from the University of Oulu, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="casia-fasd",
            summary="CASIA-FASD (domain C): 50 subjects, 600 videos",
            factory="padkit_ocim.casia:CasiaFasdReader",
            licence="from CASIA, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="replay-attack",
            summary="Idiap Replay-Attack (domain I): 50 subjects, 1200 videos",
            factory="padkit_ocim.replay:ReplayAttackReader",
            licence="from Idiap, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="msu-mfsd",
            summary="MSU-MFSD (domain M): 35 subjects, 280 videos",
            factory="padkit_ocim.msu:MsuMfsdReader",
            licence="from Michigan State University, on request; padkit ships none of it",
        ),
    ]
