"""Face PAD datasets beyond the four of padkit_ocim, as their owners publish them."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import DatasetSpec


@hookimpl
def padkit_datasets() -> list[DatasetSpec]:
    """Return the eight readers."""
    return [
        DatasetSpec(
            name="siw",
            summary="SiW: 165 subjects, print and replay videos with face boxes",
            factory="padkit_public.siw:SiwReader",
            licence="from Michigan State University, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="siw-mv2",
            summary="SiW-Mv2: videos of 14 spoof types, from makeup to masks",
            factory="padkit_public.siw_mv2:SiwMv2Reader",
            licence="from Michigan State University, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="celeba-spoof",
            summary="CelebA-Spoof: 561,575 stills of print, replay and mask attacks with face boxes",
            factory="padkit_public.celeba_spoof:CelebaSpoofReader",
            licence="from the Chinese University of Hong Kong, for research; padkit ships none of it",
        ),
        DatasetSpec(
            name="casia-surf",
            summary="CASIA-SURF, colour images: printed and cut-out faces",
            factory="padkit_public.casia_surf:CasiaSurfReader",
            licence="from CASIA, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="cefa",
            summary="CASIA-SURF CeFA, colour images: print, replay and masks over three ethnicities",
            factory="padkit_public.cefa:CefaReader",
            licence="from CASIA, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="hifimask",
            summary="CASIA-SURF HiFiMask: transparent, plaster and resin masks",
            factory="padkit_public.hifimask:HifimaskReader",
            licence="from CASIA, on request; padkit ships none of it",
        ),
        DatasetSpec(
            name="wmca",
            summary="WMCA, colour channel: glasses, masks, prints and replays in HDF5 files",
            factory="padkit_public.wmca:WmcaReader",
            licence="from Idiap, on request; padkit ships none of it",
            extra="padkit[hdf5]",
        ),
        DatasetSpec(
            name="nuaa",
            summary="NUAA: stills of printed photographs, raw or normalised faces",
            factory="padkit_public.nuaa:NuaaReader",
            licence="from NUAA, for research; padkit ships none of it",
        ),
    ]
