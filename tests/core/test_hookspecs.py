"""The hooks and the records they return are a promise to third parties."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from padkit import hookspecs
from padkit.plugins import ROLES
from padkit.specs import ComponentSpec


@pytest.mark.parametrize("role", ROLES)
def test_a_hook_takes_nothing_and_returns_a_list_of_its_records(role):
    name, record = ROLES[role]
    hook = getattr(hookspecs, name)
    assert not inspect.signature(hook).parameters
    assert typing.get_type_hints(hook)["return"] == list[record]
    assert inspect.getdoc(hook)


@pytest.mark.parametrize("role", ROLES)
def test_a_record_grows_by_fields_with_defaults_only(role):
    record = ROLES[role][1]
    assert issubclass(record, ComponentSpec)
    fields = dataclasses.fields(record)
    required = [f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    assert required == ["name", "summary", "factory"]
    spec = record(name="a", summary="b", factory="c:d")
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.name = "other"
    with pytest.raises(TypeError):
        record("a", "b", "c:d")
