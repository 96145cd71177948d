"""Where presets stand among what files and options say of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict
from typing import Any

from depthub.cli.options.choice import Choices
from depthub.cli.options.layers import Layer
from depthub.cli.options.precedence import Precedence
from depthub.errors import DepthubError
from depthub.registry import presets
from depthub.registry.plugins import Plugins
from depthub.spec import Component, DataSpec, RunSpec, Training


class RunPrecedence(Precedence):
    """Of `depthub run`: what a preset says lies beneath the words beside it, and over those of earlier files.

    Another method than an earlier file's takes nothing of that method: neither its settings nor those fields of the recipe that are its
    preset's. `--seed` replaces the seeds of a file.
    """

    def __init__(self, choices: Choices, plugins: Plugins) -> None:
        super().__init__(choices)
        self.plugins = plugins

    def settle(self, layers: Sequence[Layer]) -> Layer:
        if {"seed", "seeds"} <= layers[-1].keys():
            raise DepthubError("--seed and --seeds are both given, expected one of them")
        held = super().settle(layers)
        method = self._method(held)
        if method in self.plugins.names("methods"):
            name, spec = held.get("preset"), self._spec(held)
            values = presets.preset(presets.DEFAULT if name is None else name, spec, self.plugins)
            start = Training(**presets.preset(presets.DEFAULT, spec, self.plugins).training)
            self.defaults = {f"training.{field}": value for field, value in asdict(start).items()}
            stated = held.get("method") or {"init_args": {}}
            held["method"] = {"class_path": method, "init_args": {**values.settings, **stated["init_args"]}}
            held["training"] = {**values.training, **held.get("training", {})}
        return held

    def over(self, earlier: Layer, later: Layer) -> Layer:
        if earlier.get("method") and later.get("method") and self._method(earlier) != self._method(later):
            earlier = self._without_recipe(earlier)
        if later.get("preset") is not None:
            earlier = self._without_published(earlier, self._method({**earlier, **later}), str(later["preset"]))
        if "seed" in later and "seeds" not in later:
            earlier = {key: value for key, value in earlier.items() if key != "seeds"}
        return super().over(earlier, later)

    def _without_recipe(self, earlier: Layer) -> Layer:
        """What was said without those fields of the recipe that are the method's own preset's."""
        method, spec = self._method(earlier), self._spec(earlier)
        # where all is printed but no preset fits, any of them may be what the values come from
        names = [earlier.get("preset", presets.DEFAULT)] if earlier.get("preset", "") is not None else presets.names(self.plugins, method)
        published = [asdict(Training(**one.training)) for name in names if (one := presets.find(name, spec, self.plugins))]
        own = {k for k, v in earlier.get("training", {}).items() if any(one.get(k) == v for one in published)}
        return self._without(earlier, "training", own, f"which are {method}'s own")

    def _without_published(self, earlier: Layer, method: str, preset: str) -> Layer:
        """What was said without all that is a preset's to say."""
        if method not in self.plugins.names("methods"):
            return earlier
        settings, recipe = presets.preset_fields(method, self.plugins)
        left, stated = self._without(earlier, "training", recipe, f"which preset {preset!r} says"), earlier.get("method")
        if stated and stated["class_path"] == method:
            left = {**left, "method": self._without(stated, "init_args", settings, f"which preset {preset!r} says")}
        return left

    def _without(self, held: Mapping[str, Any], part: str, fields: Set[str], reason: str) -> Layer:
        """The same without some fields of a part, and a note that names them."""
        values = held.get(part, {})
        left_out = [f"training.{name}" if part == "training" else name for name in values if name in fields]
        if left_out:
            self.notes.append(f"left out: {', '.join(left_out)}, {reason}")
        return {**held, part: {name: value for name, value in values.items() if name not in fields}} if left_out else dict(held)

    def _method(self, held: Layer) -> str:
        stated = held.get("method")
        return str(stated["class_path"]) if stated else RunSpec().method.name

    def _spec(self, held: Layer) -> RunSpec:
        """What decides which values a preset has: method, protocol, data and shots. What is no such thing is refused elsewhere."""
        default, protocol = RunSpec(), held.get("protocol")
        data, shots = held.get("data"), str(held.get("shots", ""))
        return RunSpec(
            method=Component(self._method(held)),
            protocol=Component(protocol["class_path"]) if protocol else default.protocol,
            data=DataSpec(data) if isinstance(data, str) else default.data,
            shots=int(shots) if shots.isdecimal() and len(shots) < 16 and int(shots) else default.shots,
        )
