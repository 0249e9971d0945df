"""Several aligners combined into one: `--aligner daa+mixstyle`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from padkit.errors import PluginError, SettingsError
from padkit.roles import Aligner, Batch, Student, StudentFeatures


class JoinedAligner(Aligner):
    """Several aligners that act as one.

    Perturbations are applied in the order of the names, each to the result of the previous one. Names of losses,
    weights and evidence begin with the member's name: `daa.domain`. Each member computes its losses from the clean
    batch and the same student features.

    Args:
        members: The aligners by name.

    Raises:
        PluginError: A member is no aligner.
    """

    def __init__(self, n_domains: int, embedding_dim: int, members: Mapping[str, Aligner]) -> None:
        super().__init__(n_domains, embedding_dim)
        for name, member in members.items():
            if not isinstance(member, Aligner):
                raise PluginError(f"aligner {name!r} is a {type(member).__name__}, which is no padkit.roles.Aligner.")
        self.names = list(members)
        self.members = nn.ModuleList(members.values())

    def _each(self) -> Iterator[tuple[str, Aligner]]:
        for name, member in zip(self.names, self.members, strict=True):
            assert isinstance(member, Aligner)
            yield name, member

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images after every member has perturbed them in turn."""
        for _, member in self._each():
            batch = replace(batch, images=member.perturb(batch))
        return batch.images

    @contextmanager
    def inside(self, student: Student, batch: Batch) -> Iterator[None]:
        """Open every member's context."""
        with ExitStack() as stack:
            for _, member in self._each():
                stack.enter_context(member.inside(student, batch))
            yield

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:
        """Return every member's losses."""
        return _named((name, member.losses(batch, features, progress)) for name, member in self._each())

    def weights(self) -> Mapping[str, float]:
        """Return every member's weights."""
        return _named((name, member.weights()) for name, member in self._each())

    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:
        """Return every member's evidence."""
        return _named((name, member.evidence(batch, features)) for name, member in self._each())


def _named(found: Iterator[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    return {f"{member}.{name}": value for member, values in found for name, value in values.items()}


class Joined:
    """The factory of a `JoinedAligner`; padkit calls it in the same way as the class of an aligner.

    Args:
        factories: The members' factories by name.

    Attributes:
        min_domains: The largest `min_domains` of the members.
    """

    def __init__(self, factories: Mapping[str, Callable[..., Any]]) -> None:
        self.factories = dict(factories)
        needed = (getattr(factory, "min_domains", Aligner.min_domains) for factory in self.factories.values())
        self.min_domains: int = max(needed)

    def __call__(self, n_domains: int, embedding_dim: int, **settings: Mapping[str, Any]) -> JoinedAligner:
        """Build the members, each from the settings under its name.

        Raises:
            SettingsError: A member refuses its settings.
        """
        members: dict[str, Aligner] = {}
        for name, factory in self.factories.items():
            try:
                members[name] = factory(n_domains, embedding_dim, **settings.get(name, {}))
            except SettingsError as error:
                # A member calls its settings `aligner.epsilon`; here the user wrote `aligner.daa.epsilon`.
                raise SettingsError(str(error).replace("aligner.", f"aligner.{name}.")) from error
        return JoinedAligner(n_domains, embedding_dim, members)
