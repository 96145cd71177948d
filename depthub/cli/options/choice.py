"""Options that choose a class by name, with the class's settings as options of their own."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isclass, signature
from typing import Any, NoReturn

from depthub.errors import DepthubError, UnknownNameError, hint, nearest
from depthub.values.annotations import setting_defaults
from depthub.values.configuration import brief, short

HEAD = "head"  # a setting that is itself a class chooses from the classes of this option
KEYS = ("class_path", "init_args")
# A choice with the settings stated beside it: {"class_path": "DePT", "init_args": {"balance": 0.5, "cat": {"class_path": "CAT", ...}}}
Stated = dict[str, Any]


class Choices:
    """The classes that options choose from; choices of all spellings put into one form, `Stated`.

    Attributes:
        classes: by option and name.
        default: the class of an option that is left out, where there is one.
        note: another explanation of an unknown name, for example a broken plugin.
    """

    def __init__(self) -> None:
        self.classes: dict[str, Mapping[str, type]] = {}
        self.default: dict[str, type] = {}
        self.note = ""

    def find(self, option: str, name: Any) -> type:
        """The class of a name, which may be the whole path that it is imported by.

        Raises:
            UnknownNameError: if there is none; nothing else is ever imported.
        """
        classes = self.classes.get(option, {})
        for class_name, cls in classes.items():
            if name == class_name or name in paths(cls):
                return cls
        raise UnknownNameError(option, short(name if isinstance(name, str) else repr(name)), classes, self.note)

    def stated(self, option: str, value: Any) -> Stated:
        """A choice in one form, from a name, or from a mapping: the name under `class_path`, settings under `init_args`.

        Raises:
            DepthubError: for anything else, and for settings that the class does not have.
        """
        if not isinstance(value, Mapping):
            return {"class_path": self.find(option, value).__name__, "init_args": {}}
        if "class_path" not in value:
            raise DepthubError(f"{option} has no class_path, expected the name of a {option} there{hint('', self.classes.get(option, {}))}")
        cls = self.find(option, value["class_path"])
        for key in value:
            if key not in KEYS:
                _refuse_key(option, cls, key)
        return {"class_path": cls.__name__, "init_args": self._settings(option, cls, value.get("init_args"))}

    def _settings(self, option: str, cls: type, settings: Any) -> dict[str, Any]:
        if not isinstance(settings, Mapping | None):
            raise DepthubError(f"init_args of {option} {cls.__name__} is {brief(settings)}, expected settings by name{_settings_hint(cls)}")
        for name in settings or {}:
            if name not in setting_defaults(cls):
                self.refuse_setting(option, cls, name)
        return {name: self.stated(HEAD, value) if nests(cls, name) else value for name, value in (settings or {}).items()}

    def over(self, option: str, earlier: Stated | None, later: Stated | None, notes: list[str]) -> Stated | None:
        """Both together, where the later counts. Another class takes none of the settings of the class that it replaces.

        Args:
            option: of both.
            earlier, later: in the form of `stated`; None: nothing is chosen.
            notes: takes a line for each setting that is left out.
        """
        if not earlier or not later:
            return later
        if earlier["class_path"] != later["class_path"]:
            if earlier["init_args"]:
                left_out = f"settings of {earlier['class_path']} ({', '.join(earlier['init_args'])}) are left out"
                notes.append(f"{option} is {later['class_path']}: {left_out}")
            return later
        merged = {**earlier["init_args"], **later["init_args"]}
        cls = self.find(option, later["class_path"])
        for name in earlier["init_args"].keys() & later["init_args"].keys():
            if nests(cls, name):
                merged[name] = self.over(HEAD, earlier["init_args"][name], later["init_args"][name], notes)
        return {"class_path": later["class_path"], "init_args": merged}

    def whole(self, option: str, stated: Stated) -> dict[str, Any]:
        """A class with all its settings written out, for jsonargparse.

        Left to itself, jsonargparse lets a class inherit settings of the same name from the class that it replaces, even mere defaults.
        """
        cls = self.find(option, stated["class_path"])
        settings = {**setting_defaults(cls), **stated["init_args"]}
        for name, value in settings.items():
            if nests(cls, name):
                settings[name] = self.whole(HEAD, self.stated(HEAD, path(value)) if isclass(value) else value)
        return {"class_path": path(cls), "init_args": settings}

    def refuse_setting(self, option: str, cls: type, setting: str) -> NoReturn:
        """Refuse a setting that a class does not have."""
        raise DepthubError(f"{option} {cls.__name__} has no setting {setting!r}{_settings_hint(cls, setting)}")


def nests(cls: type, setting: str) -> bool:
    """Whether a setting is itself a choice of a class."""
    return isclass(setting_defaults(cls).get(setting))


def is_text(cls: type, setting: str) -> bool:
    """Whether a setting is text and nothing else."""
    return signature(cls).parameters[setting].annotation in (str, "str")


def path(cls: type) -> str:
    """The fully qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def paths(cls: type) -> list[str]:
    """The names a class may be imported by, the fully qualified one last: the packages around its module may re-export it."""
    parts = cls.__module__.split(".")
    return [".".join([*parts[: n + 1], cls.__qualname__]) for n in range(len(parts))]


def _refuse_key(option: str, cls: type, key: str) -> NoReturn:
    if key in setting_defaults(cls):
        raise DepthubError(f"{option} {cls.__name__}: {key!r} stands beside class_path; put it under init_args")
    raise DepthubError(
        f"{option} {cls.__name__}: unknown key {key!r}{nearest(key, KEYS)}; expected class_path, and the settings under init_args"
    )


def _settings_hint(cls: type, setting: str = "") -> str:
    return hint(setting, setting_defaults(cls)) if setting_defaults(cls) else "; it has none"
