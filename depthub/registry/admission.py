"""Checks of the classes and instances that a plugin provides; each reports its faults as lines of text.

Foreign code may run in every attribute access here. The caller turns all errors into faults of the plugin.
"""

from __future__ import annotations

import inspect
import keyword
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any

import depthub
from depthub.errors import DepthubError, hint
from depthub.registry.foreign import bases, class_name, derives, is_class, package_of, shown, subclasses
from depthub.spec import Preset, Training, digest
from depthub.values.annotations import fits, in_words, setting_types

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
LONGEST = 100  # characters of a name
RESERVED = {"help", "config", "class_path", "init_args", "dict_kwargs"}  # words with another meaning on the command line
_NO_SETTING = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Attribute:
    """An attribute of the classes or instances of a kind.

    Args:
        holds: whether a value is valid.
        expected: the valid values, in words.
    """

    holds: Callable[[Any], bool]
    expected: str


@dataclass(frozen=True)
class Kind:
    """One kind of component, provided by the hook `depthub_<kind>`.

    Args:
        singular: its name in messages.
        base: the required base class, a public name of `depthub`.
        home: the module of the base class.
        leading: arguments of the constructor before the settings; None if plugins provide instances, not classes.
        attributes: the attributes to check, by name.
    """

    singular: str
    base: str
    home: str
    leading: tuple[str, ...] | None
    attributes: Mapping[str, Attribute]


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


_FLAG = Attribute(lambda value: isinstance(value, bool), "True or False")
_COUNT = Attribute(lambda value: type(value) is int and value >= 0, "a number of at least 0")
_TEXT = Attribute(lambda value: isinstance(value, str), "text")
_TEXTS = Attribute(_texts, "a tuple of texts")
_RATE = Attribute(lambda value: fits(value, float) and value >= 0, "a finite number of at least 0")
_VIEWS = Attribute(lambda value: isinstance(value, str) and value in ("published", "none"), "'published' or 'none'")
_PAIRS = Attribute(
    lambda value: isinstance(value, Mapping) and _texts([*value]) and all(_texts(pair) and len(pair) == 2 for pair in value.values()),
    "score to the two scores that it is the harmonic mean of",
)
_PRESETS = Attribute(lambda value: isinstance(value, list | tuple), "a tuple of Preset")

KINDS: Mapping[str, Kind] = {
    "methods": Kind(
        "method",
        "Method",
        "depthub.method",
        ("backbone", "classes"),
        {"needs_image": _FLAG, "tunes_image": _FLAG, "adapts_image": _FLAG, "presets": _PRESETS},
    ),
    "heads": Kind("head", "Head", "depthub.head", ("dim", "classes"), {"lr_scale": _RATE}),
    "protocols": Kind("protocol", "Protocol", "depthub.protocol", (), {"headline": _TEXT, "harmonic": _PAIRS}),
    "datasets": Kind("data set", "DataSet", "depthub.data.dataset", None, {"aliases": _TEXTS, "augmentation": _VIEWS}),
    "backbones": Kind("backbone", "NamedBackbone", "depthub.spec", None, {"model": _TEXT, "pretrained": _TEXT, "summary": _TEXT}),
    "executors": Kind("executor", "Executor", "depthub.executor", (), {}),
    "texts": Kind("file of class texts", "NamedTexts", "depthub.data.class_texts", None, {"path": _TEXT, "summary": _TEXT}),
}


def inherits(package: str) -> bool:
    """Whether a class of a package inherits from the base class of a kind. Imports nothing."""
    bases = [getattr(sys.modules[kind.home], kind.base) for kind in KINDS.values() if kind.home in sys.modules]
    return any(package_of(subclass) == package for base in bases for subclass in subclasses(base))


def admit(thing: Any, kind: Kind, *, importable: bool = True) -> tuple[str, list[str]]:
    """Name and faults of a component; usable only without faults.

    Args:
        thing: a class or an instance.
        kind: its kind.
        importable: whether a class must be importable by its name; a class of a notebook's cell is not.
    """
    base: type = getattr(depthub, kind.base)
    faults = [*(_instance_faults(thing, kind, base) if kind.leading is None else _class_faults(thing, kind, base, importable))]
    if faults:
        return "", faults
    return class_name(thing) if is_class(thing) else thing.name, []


def _instance_faults(thing: Any, kind: Kind, base: type) -> Iterator[str]:
    if is_class(thing) or not derives(type(thing), base):
        yield f"gives {shown(thing)}, expected an instance of {kind.base}"
        return
    name, again = (getattr(thing, "name", None) for _ in range(2))
    if type(name) is not str or not NAME.fullmatch(name) or len(name) > LONGEST:
        yield f"gives a {kind.singular} with name {shown(name)}, expected letters, digits, '_', '-' and '.'"
    elif again != name:
        yield f"gives a {kind.singular} whose name changes from {name!r} to {shown(again)}"
    else:
        yield from _attribute_faults(thing, name, kind, base)


def _class_faults(cls: Any, kind: Kind, base: type, importable: bool) -> Iterator[str]:
    if not is_class(cls) or not derives(cls, base):
        yield f"gives {shown(cls)}, expected a subclass of {kind.base}"
    elif inspect.isabstract(cls):
        yield f"gives {class_name(cls)}, which is abstract: it lacks {', '.join(sorted(getattr(cls, '__abstractmethods__', ())))}"
    elif fault := _name_fault(cls) or (_place_fault(cls) if importable else ""):
        yield fault
    else:
        name = class_name(cls)
        _try_metaclass(cls)
        faults = [*_attribute_faults(cls, name, kind, base), *_constructor_faults(cls, kind.leading or ())]
        if "presets" in kind.attributes and not faults:
            faults = [*_preset_faults(cls)]
        yield from faults


def _try_metaclass(cls: Any) -> None:
    """Call what a metaclass can replace: an error there would otherwise occur later, even in `isinstance` with another class."""
    for function in (repr, hash, bool, dir):
        function(cls)
    _ = isinstance(None, cls), issubclass(object, cls), cls == cls


def _name_fault(cls: Any) -> str:
    """The reason why the command line cannot use a class's name; empty if it can."""
    name = class_name(cls)
    if not name.isidentifier() or keyword.iskeyword(name) or len(name) > LONGEST:
        return f"gives a class with name {shown(name)}, expected an identifier"
    return ""


def _place_fault(cls: Any) -> str:
    """The reason why a class cannot be imported by its name; empty if it can."""
    name, module, path = class_name(cls), cls.__module__, cls.__qualname__
    imported: Any = sys.modules.get(str(module))
    for part in str(path).split("."):
        imported = getattr(imported, part, None)
    if imported is not cls or not name == cls.__name__ == path.rpartition(".")[2]:
        return f"gives {name}, which is not found as {module}.{path}: define it at the top of its module, under its own name"
    return ""


def _attribute_faults(thing: Any, name: str, kind: Kind, base: type) -> Iterator[str]:
    for attribute, rule in kind.attributes.items():
        value = getattr(thing, attribute)
        if not rule.holds(value) and not (is_class(thing) and isinstance(value, property)):  # a property has its value on instances only
            yield f"{name}.{attribute} is {shown(value)}, expected {rule.expected}"
    for attribute in sorted(_methods(base)):
        if not callable(getattr(thing, attribute)):
            yield f"{name}.{attribute} is {shown(getattr(thing, attribute))}, expected a method"
    if not isinstance(thing.__doc__, str | None):
        yield f"{name}'s docstring is {shown(thing.__doc__)}, expected text"


def _methods(base: type) -> set[str]:
    """The names of the public methods and of all abstract methods of a base class."""
    functions = {name for name, value in vars(base).items() if inspect.isfunction(value) or isinstance(value, classmethod)}
    abstract = {name for cls in bases(base) for name in getattr(cls, "__abstractmethods__", ())}
    return {name for name in functions if not name.startswith("_")} | abstract


def _constructor_faults(cls: Any, leading: tuple[str, ...]) -> Iterator[str]:
    """The call is `cls(*leading, **settings)`; settings become options of the command line, hence need types and defaults."""
    signature = inspect.signature(cls)
    parameters = list(signature.parameters.values())
    name = class_name(cls)
    if sum(p.kind in _NO_SETTING for p in parameters[: len(leading)]) < len(leading):
        yield f"{name}'s constructor takes {shown(signature)}, expected ({', '.join(leading)}, *, settings)"
        return
    settings = parameters[len(leading) :]
    faults = [fault for setting in settings for fault in _setting_faults(setting)]
    if not faults:
        types = setting_types(cls)
        values = ((p.default, types.get(p.name, Any), f"setting {p.name!r}", " by default") for p in settings)
        faults = [fault for value in values for fault in _value_faults(*value)]
    yield from (f"{name}'s {fault}" for fault in faults)
    if not faults:
        yield from _call_faults(cls, leading, settings)


def _setting_faults(setting: inspect.Parameter) -> Iterator[str]:
    if setting.kind is not inspect.Parameter.KEYWORD_ONLY:
        yield f"setting {str(setting).split(':')[0]!r} is not keyword-only"
    elif setting.default is setting.empty or setting.annotation is setting.empty:
        yield f"setting {setting.name!r} lacks a {'type' if setting.annotation is setting.empty else 'default'}"
    elif setting.name in RESERVED or setting.name.startswith("_"):
        yield f"setting {setting.name!r} has a name that the command line cannot offer; rename it"


def _value_faults(value: Any, expected: Any, what: str, when: str = "") -> Iterator[str]:
    """Faults of a value: it cannot be part of a spec, or has the wrong type for its setting."""
    head: type = depthub.Head
    if is_class(value):
        if not derives(value, head):
            yield f"{what} is {shown(value)}{when}, expected a value that JSON has, or a head"
        return
    plain = str(value) if isinstance(value, PurePath) else [*value] if isinstance(value, tuple) else value
    try:
        digest(plain)
    except DepthubError:
        yield f"{what} is {shown(value)}{when}, expected a value that JSON has, or a head"
        return
    if not fits(plain, expected):
        yield f"{what} is {shown(value)}{when}, expected {in_words(expected)}"


def _call_faults(cls: Any, leading: tuple[str, ...], settings: Iterable[inspect.Parameter]) -> Iterator[str]:
    """Whether the constructor accepts the arguments of the class's signature: `__signature__` may be written by hand."""
    constructor = inspect.signature(cls.__init__, follow_wrapped=False)
    try:
        constructor.bind(None, *leading, **{setting.name: setting.default for setting in settings})
    except TypeError as error:
        yield f"{class_name(cls)}'s signature is not that of its constructor: {error}"


def _preset_faults(cls: Any) -> Iterator[str]:
    types = setting_types(cls)
    settings = {p.name: types.get(p.name, Any) for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for number, preset in enumerate(cls.presets):
        if type(preset) is not Preset:
            yield f"{class_name(cls)}.presets[{number}] is {shown(preset)}, expected a Preset"
            return
        where = f"preset {shown(preset.name)} of {class_name(cls)}"
        yield from (f"{where}: {fault}" for fault in _one_preset_faults(preset, settings))


def _one_preset_faults(preset: Preset, settings: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(preset.name, str) or not NAME.fullmatch(preset.name):
        yield "its name is invalid; expected letters, digits, '_', '-' and '.'"
    for field, item in (("protocols", str), ("shots", int), ("data", str)):
        value = getattr(preset, field)
        if not isinstance(value, tuple | list) or not all(type(entry) is item for entry in value):
            yield f"{field} is {shown(value)}, expected a tuple of {item.__name__}"
    yield from _preset_values(preset.settings, settings, "setting")
    faults = [*_preset_values(preset.training, {field.name: Any for field in fields(Training)}, "field of the recipe")]
    yield from faults or _recipe_faults(preset.training)


def _preset_values(values: Any, types: Mapping[str, Any], what: str) -> Iterator[str]:
    if not isinstance(values, Mapping):
        yield f"its values are {shown(values)}, expected a dictionary by {what}"
        return
    for key, value in values.items():
        if key not in types:
            yield f"unknown {what} {shown(key)}{hint(str(key), types)}"
        else:
            yield from _value_faults(value, types[key], f"{what} {key!r}")


def _recipe_faults(values: Mapping[str, Any]) -> Iterator[str]:
    try:
        Training(**values)
    except DepthubError as error:
        yield str(error)
