"""Settings of choices on the command line: `--head DePT --head.cat CAT --head.cat.bias false`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from depthub.cli.options.arguments import Option
from depthub.cli.options.choice import HEAD, Choices, Stated, is_text, nests, path
from depthub.cli.options.layers import Layer, braces
from depthub.errors import DepthubError, hint
from depthub.values.annotations import setting_defaults, setting_types

JSONARGPARSE = {"class_path", "init_args", "dict_kwargs"}  # its own spelling of a choice; here it has one in files only


@dataclass(frozen=True)
class ChoiceSettings:
    """Puts settings into the layer that is settled.

    Args:
        choices: the options that choose a class.
        layer: all files and the options that files may state too; settings are added to it.
        notes: takes a line for each setting that is left out.
    """

    choices: Choices
    layer: Layer
    notes: list[str]

    def add(self, option: Option) -> list[str]:
        """Add an option to the layer, or leave it to jsonargparse.

        Returns:
            The words for jsonargparse: values other than text, which it reads and checks; values too many, which it refuses.
        """
        setting = option.path[-1]
        holder, cls = self._holder(option)
        if setting not in setting_defaults(cls):
            self.choices.refuse_setting(_kind(option), cls, setting)
        if not option.values:
            raise DepthubError(f"{option.name}: expected a value")
        if nests(cls, setting):
            stated = self.choices.stated(HEAD, braces(option.values[0], option.name) or option.values[0])
            holder["init_args"][setting] = self.choices.over(HEAD, holder["init_args"].get(setting), stated, self.notes)
        elif is_text(cls, setting):  # jsonargparse would read "a: b" as a mapping
            holder["init_args"][setting] = option.values[0]
        else:
            return option.words()
        return option.values[1:]

    def class_of(self, option: Option) -> type:
        """The class that an option asks help of: `--head.help DePT`, or the chosen one for `--head.help` alone."""
        chosen = self._holder(option)[1] if len(option.path) > 2 or not option.values else None
        return self.choices.find(_kind(option), option.values[0]) if chosen is None or option.values else chosen

    def type_of(self, option: Option) -> Any:
        """The type of a setting; Any where its class does not say."""
        return setting_types(self._holder(option)[1]).get(option.path[-1], Any)

    def _holder(self, option: Option) -> tuple[Stated, type]:
        """The choice that a setting belongs to, with its class: `--head.cat` for `--head.cat.bias`. Defaults are stated from then on."""
        if JSONARGPARSE & set(option.path):
            raise DepthubError(f"{option.name}: choose with --{option.path[0]} NAME, and set with --{option.path[0]}.SETTING")
        kind, *inner = option.path[:-1]
        holder = self._chosen(option)
        for setting in inner:
            cls = self.choices.find(kind, holder["class_path"])
            if not nests(cls, setting):
                self.choices.refuse_setting(kind, cls, setting)
            default = self.choices.stated(HEAD, path(setting_defaults(cls)[setting]))
            holder, kind = holder["init_args"].setdefault(setting, default), HEAD
        return holder, self.choices.find(kind, holder["class_path"])

    def _chosen(self, option: Option) -> Stated:
        choice = option.path[0]
        default = self.choices.default.get(choice)
        stated: Stated | None = self.layer.get(choice) or (self.choices.stated(choice, path(default)) if default else None)
        if stated is None:
            raise DepthubError(f"{option.name}: choose with --{choice} first{hint('', self.choices.classes[choice])}")
        self.layer[choice] = stated
        return stated


def _kind(option: Option) -> str:
    """The option whose classes a setting's holder is one of."""
    return HEAD if len(option.path) > 2 else option.path[0]
