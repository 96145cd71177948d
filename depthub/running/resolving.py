"""From a spec to all that it means: components with every setting, data sets and their digests, and the stages to train and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from depthub.boundary import check_data, check_stages
from depthub.boundary.owner import within
from depthub.compute import linear
from depthub.data.dataset import Data, DataSet, Examples, Prints, contents
from depthub.data.own.by_name import is_own, own, placed
from depthub.data.own.naming import Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.pictures import colour
from depthub.data.published import folder_lists
from depthub.data.published.on_disk import OnDisk
from depthub.data.reader import FolderReader
from depthub.data.views import drafted
from depthub.encoding.loading.sources import find, weights_digest
from depthub.errors import DepthubError
from depthub.identity import inputs
from depthub.identity.file_digests import file_sha256
from depthub.protocol import Protocol, Stage
from depthub.registry import presets, settings
from depthub.registry.plugins import Plugins, installed
from depthub.spec import Component, DataSpec, NamedBackbone, RunSpec, changed, digest, placeless
from depthub.system.provenance import version
from depthub.values.annotations import setting_types

VERSIONS = ("depthub", "torch", "torchvision", "open_clip_torch", "timm", "pillow", "numpy")


@dataclass(frozen=True, eq=False)
class Resolved:
    """A spec with all that it means.

    Args:
        spec: with everything spelt out that the numbers depend on.
        protocol: of the run.
        stages: what is trained and tested.
        data: the data sets that are read, by name; those of a user's own without their place, the run's own with it as well.
        digests: of their lists of images, by name without places; empty where the name says it all.
        code: of each component: distribution, version and SHA-256 of what its source says.
        files: SHA-256 of the files that settings name, by setting.
        read: files and folders that the numbers depend on; None where a data set does not tell them.
        prints: fingerprints of images that were taken already.
    """

    spec: RunSpec
    protocol: Protocol
    stages: tuple[Stage, ...]
    data: Mapping[str, Data]
    digests: Mapping[str, str]
    code: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    read: tuple[Path, ...] | None = None
    prints: Prints = field(default_factory=Prints)

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers has to know of the data, one line each."""
        said = [note for data in self.data.values() for note in data.notes]
        return list(dict.fromkeys([*said, *_classes_left_out(self), *_short_classes(self)]))

    def label(self, name: str) -> str:
        """A data set's name without the place of its files."""
        return placeless(name)

    def inputs(self, backbone: str) -> dict[str, Any]:
        """What the numbers depend on besides the spec, see `inputs`.

        Args:
            backbone: SHA-256 of the weights as loaded.
        """
        return {
            "code": dict(self.code),
            "data": {**self._contents(), **self.files},
            "backbone": backbone,
            "linear": linear.choice(),
            "packages": {name: present for name in VERSIONS if (present := version(name))},
        }

    def _contents(self) -> dict[str, str]:
        """SHA-256 over the contents of all images that are read, by data set; only of those that lie on disk."""
        read: dict[str, list[Examples]] = {name: [] for name, listed in self.digests.items() if listed}
        for stage in self.stages:
            for task in (stage.train, *stage.tests):
                read.get(task.examples.source, []).append(task.examples)  # those of rendered sets go nowhere
        return {name: digest([contents(part, self.prints) for part in examples]) for name, examples in read.items()}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A data set that a run reads.

    Args:
        data_set: what gives it.
        digest: of its list of images; empty where its name says it all.
        data: as loaded.
        name: with its place, if it has one.
    """

    data_set: DataSet
    digest: str
    data: Data
    name: str


class Resolver:
    """Resolves specs; what several have in common is read and hashed once.

    Args:
        data_root: folder that holds the data sets.
        plugins: that provide the components.
        download: whether the network may be asked for weights that are not on this machine.
        cache: whether lists of images are kept on disk, and found there.
    """

    def __init__(
        self, data_root: Path | None = None, plugins: Plugins | None = None, download: bool = False, *, cache: bool = True
    ) -> None:
        self.data_root, self.plugins, self.download, self.cache = data_root, plugins or installed(), download, cache
        self._weights: dict[Any, str] = {}
        self._data: dict[tuple[DataSpec, bool], Loaded] = {}
        self._sha256: dict[Path, str] = {}
        self._prints = Prints()

    def __call__(self, spec: RunSpec) -> Resolved:
        """Spell a spec out; nothing is trained, and no image or weight is loaded.

        Raises:
            DepthubError: for unknown names or settings, for files that are missing or not those the spec names, and for data and tasks
                that cannot give a right number.
        """
        parts = {part: settings.complete(getattr(spec, part), f"{part}s", self.plugins) for part in ("method", "head", "protocol")}
        weights = self._weights_digest(spec)
        source = self._load(_placed(spec.data))
        for what, stated, present in (("data", spec.data.sha256, source.digest), ("backbone", spec.backbone.sha256, weights)):
            if stated and stated != present:
                raise DepthubError(
                    f"the files of {what} are not those of the spec: sha256 {present[:12] or 'none'}, expected {stated[:12]}"
                )
        training = presets.recipe(spec, self.plugins)
        augmentation = source.data_set.augmentation if training.augmentation == "auto" else training.augmentation
        protocol = parts["protocol"]
        complete = replace(
            spec,
            method=parts["method"],
            head=parts["head"],
            protocol=replace(protocol, settings=changed(protocol.settings, placed)),
            data=_canonical(replace(_placed(spec.data), sha256=source.digest), source.data_set),
            backbone=replace(spec.backbone, sha256=weights),
            training=replace(training, augmentation=augmentation),
        )
        return self._with_stages(complete, source)

    def _with_stages(self, spec: RunSpec, source: Loaded) -> Resolved:
        """The stages that the protocol makes, and what it reads for them."""
        own = placeless(source.name)
        read = {own: source}

        def load(name: str) -> Data:
            label = placeless(placed(name))
            if label not in read:
                read[label] = self._beside(placed(name), spec, source)
            elif read[label].name != placed(name):
                raise DepthubError(
                    f"{read[label].name!r} and {placed(name)!r} are both {label!r} without their places, which no result shows; "
                    "rename one, or name a link to it"
                )
            return read[label].data.named(label)

        protocol: Protocol = settings.make(spec.protocol, "protocols", self.plugins)
        with within("protocol", protocol):
            given = protocol.stages(source.data.named(own), load, spec.shots, spec.seed)
        data = {label: one.data for label, one in read.items()}
        check_stages(given, data, spec.protocol.name, protocol)
        stages = tuple(given)
        digests = {label: one.digest for label, one in read.items()}
        others = {label: digest for label, digest in digests.items() if digest and label != own}
        if spec.other_data and spec.other_data != others:
            raise DepthubError(f"the files of {', '.join(spec.other_data)} are not those of the spec; leave other_data out")
        return Resolved(
            replace(spec, other_data=others),
            protocol,
            stages,
            {source.name: source.data, **data},
            digests,
            self._code(spec, read),
            {name: self._file_sha256(path) for path, name in self._files(spec).items()},
            self._places(spec, stages, read),
            self._prints,
        )

    def _code(self, spec: RunSpec, read: Mapping[str, Loaded]) -> dict[str, Any]:
        """Where the code comes from, of data sets that are not the core's too."""
        foreign = [label for label, one in read.items() if not type(one.data_set).__module__.startswith("depthub.")]
        return code_of(spec, self.plugins) | {f"datasets {name}": _origin("datasets", name, self.plugins) for name in foreign}

    def _places(self, spec: RunSpec, stages: Sequence[Stage], read: Mapping[str, Loaded]) -> tuple[Path, ...] | None:
        """All files and folders that the run reads; None if a data set does not tell them."""
        parts = [task.examples for stage in stages for task in (stage.train, *stage.tests)]
        paths = [_places(one, [part for part in parts if part.source == label], self.data_root) for label, one in read.items()]
        known = [path for own in paths for path in own or ()]
        return None if None in paths else (*known, *self._weight_files(spec), *self._files(spec))

    def _beside(self, name: str, spec: RunSpec, source: Loaded) -> Loaded:
        """A data set that is tested on beside the run's own."""
        background = spec.data.background if is_own(name) else ""
        one = self._load(DataSpec(name, decoding=spec.data.decoding, background=background), tested=True)
        if not isinstance(one.data_set, OwnPictures):
            return one
        data, called = one.data, spec.data.class_names
        if isinstance(called, Mapping):  # what the user calls a folder's class holds for the same folder of another data set
            names = tuple(called.get(name, name) for name in data.classes.names)
            data = replace(data, classes=replace(data.classes, names=names))
        if isinstance(source.data_set, OwnPictures):
            data = replace(data, notes=(*data.notes, *one.data_set.leaks(source.data_set, source.data.train, data.test)))
        check_data(data, name)
        return replace(one, data=data)

    def _load(self, spec: DataSpec, *, tested: bool = False) -> Loaded:
        """A data set, read once; `tested`: it is for testing only."""
        if (spec, tested) not in self._data:
            data_set = data_set_of(spec, self.plugins, tested=tested)
            with folder_lists.used(self.cache), within("data set", data_set, spec.name):
                data = data_set.load(self.data_root)
                check_data(data, spec.name, data_set)
                digest = data_set.digest(self.data_root)
            if spec.decoding == "draft":
                drafted(data.named(spec.name).test, (1, 1))
            if isinstance(data_set, OwnPictures):
                self._prints.add(data_set.read, {name: data_set.read.print_of(sha256) for name, sha256 in data_set.sha256.items()})
            self._data[spec, tested] = Loaded(data_set, digest, data, spec.name)
        return self._data[spec, tested]

    def _weights_digest(self, spec: RunSpec) -> str:
        if spec.backbone not in self._weights:
            self._weights[spec.backbone] = weights_digest(spec.backbone, named(self.plugins), self.download)
        return self._weights[spec.backbone]

    def _weight_files(self, spec: RunSpec) -> list[Path]:
        sources = find(spec.backbone, named(self.plugins))
        return [path for path in (sources.config, sources.weights, sources.merges) if path]

    def _file_sha256(self, path: Path) -> str:
        if path not in self._sha256:
            self._sha256[path] = file_sha256(path)
        return self._sha256[path]

    def _files(self, spec: RunSpec) -> dict[Path, str]:
        """The files that settings of type Path name, with component and setting."""
        kept = {}
        for kind, part in (("methods", spec.method), *(("heads", head) for head in _heads(spec.head)), ("protocols", spec.protocol)):
            types = setting_types(self.plugins.get(kind, part.name))
            for name, value in part.settings.items():
                if isinstance(value, str) and value and settings.is_path(types.get(name)):
                    if not Path(value).is_file():
                        raise DepthubError(f"{part.name}: {name} is {value!r}, which is not a file")
                    kept[Path(value)] = f"{part.name}.{name}"
        return kept


def code_of(spec: RunSpec, plugins: Plugins) -> dict[str, Any]:
    """Where the code of a run's method, heads and protocol comes from: distribution, version, SHA-256 of what its source says."""
    parts = [("methods", spec.method), *(("heads", head) for head in _heads(spec.head)), ("protocols", spec.protocol)]
    return {f"{kind} {part.name}": _origin(kind, part.name, plugins) for kind, part in parts}


def data_set_of(spec: DataSpec, plugins: Plugins, *, tested: bool = False) -> DataSet:
    """The data set that a spec means.

    Args:
        spec: of it.
        plugins: that provide data sets.
        tested: it is for testing only: all pictures of a user's own are, where nothing divides them.

    Raises:
        DepthubError: for a name that nobody knows, or settings that it does not take.
    """
    naming = Naming(spec.class_names, spec.template)
    if pictures := own(spec.name, spec.test_fraction, spec.background, naming=naming, whole=tested):
        return pictures
    for setting, has in (
        ("background", "is read as published"),
        ("test_fraction", "has a test set of its own"),
        ("template", "has a template of its own"),
        ("class_names", "has class names of its own"),
    ):
        if getattr(spec, setting) != getattr(DataSpec(), setting):
            raise DepthubError(f"{setting} is for folder:PATH and list:FILE only; data set {spec.name!r} {has}")
    names = plugins.names("datasets")
    meant = [name for name in names if spec.name.lower() in map(str.lower, plugins.get("datasets", name).aliases)]
    if spec.name not in names and meant:
        raise DepthubError(f"unknown data set {spec.name!r}; did you mean {meant[0]!r}?")
    data_set: DataSet = plugins.get("datasets", spec.name)
    return data_set


def named(plugins: Plugins) -> dict[str, NamedBackbone]:
    """The backbones that plugins provide, by name."""
    return {name: plugins.get("backbones", name) for name in plugins.names("backbones")}


def _places(one: Loaded, parts: Sequence[Examples], root: Path | None) -> list[Path] | None:
    """The files and folders that images of a data set are read from; None if it does not tell them."""
    data_set = one.data_set
    if isinstance(data_set, OwnPictures):
        return data_set.places()
    if not one.digest:  # its name says it all
        return []
    if not isinstance(data_set, OnDisk):
        return None
    # of a million images a run reads some thousands; its list says which
    names = dict.fromkeys(part.read.root / name for part in parts if isinstance(part.read, FolderReader) for name in part.ids)
    return [*data_set.sources(root), *names]


def _origin(kind: str, name: str, plugins: Plugins) -> dict[str, str]:
    report, thing = plugins.provider(kind, name), plugins.get(kind, name)
    sha256 = inputs.code_sha256(thing if isinstance(thing, type) else type(thing))
    return {"distribution": report.distribution, "version": report.version, "sha256": sha256}


def _placed(spec: DataSpec) -> DataSpec:
    """The spec with one spelling of place and colour."""
    return replace(spec, name=placed(spec.name), background=colour(spec.background)) if is_own(spec.name) else spec


def _canonical(spec: DataSpec, data_set: DataSet) -> DataSpec:
    """The spec in the spelling that equal runs share: without what is not used."""
    if not isinstance(data_set, OwnPictures):
        return spec
    naming = data_set.canonical
    share = spec.test_fraction if data_set.divides else DataSpec.test_fraction
    return replace(spec, test_fraction=share, class_names=naming.names, template=naming.template)


def _heads(head: Component) -> list[Component]:
    """A head, and the heads among its settings."""
    return [head, *(inner for value in head.settings.values() if isinstance(value, Component) for inner in _heads(value))]


def _classes_left_out(resolved: Resolved) -> list[str]:
    """Classes of the run's data set that take part in no task, for want of training images for example."""
    source = resolved.data[resolved.spec.data.name].classes
    tasks = [task for stage in resolved.stages for task in (stage.train, *stage.tests)]
    part = {i for task in tasks if task.classes.space == source.space for i in task.classes.ids}
    lacking = [name for i, name in zip(source.ids, source.names, strict=True) if i not in part]
    return [f"classes that take part in no task, since they have no training images: {', '.join(lacking)}"] if lacking else []


def _short_classes(resolved: Resolved) -> list[str]:
    lines = []
    for stage in resolved.stages:
        have = [0] * len(stage.train.classes)
        for label in stage.train.examples.labels:
            have[label] += 1
        short = [f"{name} ({n})" for name, n in zip(stage.train.classes.names, have, strict=True) if n < resolved.spec.shots]
        lines += [f"fewer than {resolved.spec.shots} training images, all are used: {', '.join(short)}"] if short else []
    return lines
