"""Specs as data: equal runs have equal names, different runs have different ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given, strategies as st

from depthub.errors import DepthubError
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training, digest
from depthub.values.canonical import canonical

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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": 2**53}, r"seed is 9007199254740992, expected less than 2\*\*53"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"shots": 2.0}, "shots is 2.0, expected an integer"),
        ({"shots": True}, "shots is True, expected an integer"),
        ({"shots": 0}, "shots is 0, expected at least 1"),
        ({"method": {"name": "CoOp", "settings": 3}}, "expected its name, or a name with settings"),
        ({"method": {"name": "CoOp"}}, "expected its name, or a name with settings"),
        ({"head": {"name": "DePT", "settings": {"cat": {"name": 3, "settings": {}}}}}, "expected its name, or a name with settings"),
        ({"head": 3}, "a component is 3"),
        ({"data": 3}, "data is 3, expected a name or a DataSpec"),
        ({"data": {"name": "\ud800"}}, "which is not valid Unicode"),
        ({"data": {"name": "tones", "decoding": "fast"}}, "data.decoding is 'fast', expected one of exact, draft"),
        ({"backbone": {"model": None}}, "backbone.model is None, expected text"),
        ({"training": {"lr": float("nan")}}, "training.lr is nan"),
        ({"training": {"lr": float("inf")}}, "training.lr is inf"),
        ({"training": {"momentum": 1}}, "training.momentum is 1, expected a finite number of at least 0 and below 1"),
        ({"training": {"precision": "fp8"}}, "training.precision is 'fp8', expected one of fp32, bf16, fp16"),
        ({"training": 3}, "training is 3, expected a Training or None"),
    ],
    ids=str,
)
def test_values_that_no_run_can_have(values: dict[str, object], message: str) -> None:
    with pytest.raises(DepthubError, match=message) as caught:
        RunSpec.of(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), 2**53, "\ud800", object(), {"a": {1}}])
def test_settings_that_json_cannot_hold_have_no_digest(value: object) -> None:
    with pytest.raises(DepthubError, match="a value that JSON cannot hold"):
        _ = RunSpec(Component("CoOp", {"n": value})).run_id


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_the_canonical_spelling_is_the_standards(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the standard's own words are
            canonical(value)
    else:
        assert canonical(value) == expected


@pytest.mark.parametrize("value", [2**53, [2**53], float("nan"), {1: 2}, object(), ["\ud800"], {"a": [1, float("inf")]}])
def test_what_json_cannot_hold_has_no_spelling(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)
