"""Specs as data: equal runs have equal names, different runs have different ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from depthub.errors import DepthubError
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training, digest

SETTINGS = st.dictionaries(
    st.text(min_size=1, max_size=5), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), max_size=3
)
SPECS = st.builds(
    RunSpec,
    method=st.builds(Component, st.text(max_size=5), SETTINGS),
    head=st.builds(lambda name, inner: Component(name, {"cat": Component("CAT", inner)}), st.text(max_size=5), SETTINGS),
    training=st.builds(Training, epochs=st.integers(0, 99), lr=st.floats(1e-6, 1)),
    shots=st.integers(1, 16),
    seed=st.integers(0, 99),
)


@given(SPECS)
def test_a_spec_survives_json(spec: RunSpec) -> None:
    back = RunSpec.of(json.loads(json.dumps(spec.as_dict())))
    assert back == spec
    assert back.run_id == spec.run_id
    assert hash(back) == hash(spec)


@given(SPECS, SPECS)
def test_run_ids_are_equal_exactly_for_equal_specs(one: RunSpec, other: RunSpec) -> None:
    assert (one.run_id == other.run_id) == (rfc8785.dumps(one.as_dict()) == rfc8785.dumps(other.as_dict()))


def test_the_canonical_form_is_fixed() -> None:
    """A change of this name orphans every run on every disk."""
    assert digest({"b": 1.0, "a": [1e-5, "é"]}) == digest({"a": [0.00001, "é"], "b": 1})
    assert rfc8785.dumps({"b": 1.0, "a": [1e-7]}) == b'{"a":[1e-7],"b":1}'


def test_places_do_not_name_a_run_where_a_digest_does() -> None:
    there = RunSpec(data=DataSpec("folder:/home/a/pets", sha256="1"), backbone=BackboneSpec("local-dir:/home/a/clip", "", "2"))
    here = replace(there, data=DataSpec("folder:/mnt/pets", sha256="1"), backbone=BackboneSpec("local-dir:/mnt/clip", "", "2"))
    assert there.run_id == here.run_id
    assert there.without_places().data.name == "folder:pets"
    assert there.without_places().backbone.model == "local-dir:clip"
    assert there.without_places().without_places() == there.without_places()
    assert RunSpec(backbone=BackboneSpec("ViT-B-16-quickgelu", "openai")).without_places().backbone.model == "ViT-B-16-quickgelu"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metod": "CoOp"}, "unknown key 'metod' in a run's spec; did you mean 'method'"),
        ({"training": {"epoch": 3}}, "unknown key 'training.epoch' in a run's spec; did you mean 'epochs'"),
    ],
)
def test_unknown_keys(values: dict[str, object], message: str) -> None:
    with pytest.raises(DepthubError, match=message):
        RunSpec.of(values)
