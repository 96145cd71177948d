"""Whether a data set on disk is what the published numbers were measured on: all that is wrong, level by level, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from depthub.data.check_report import LEVELS, Fault, Report
from depthub.data.decode import BROKEN, HARMLESS, Progress, oddities
from depthub.data.fewshot import draw_both, fingerprint
from depthub.data.listing import FOLDER, Listing, children, kind, strange
from depthub.data.published import imagenet, splits
from depthub.data.published.on_disk import OnDisk, Place
from depthub.data.published.splits import Split
from depthub.errors import DepthubError
from depthub.values.text import listed

LAYOUT, SPLIT, IDENTITY, NAMES, FILES, PER_CLASS, DECODING, SAMPLING, ZERO_SHOT = range(len(LEVELS))
CLASS_NAMES = "classnames.txt"  # ImageNet's names, which other code reads and this does not


def check(
    dataset: OnDisk,
    root: Path,
    *,
    deep: bool = False,
    shots: Sequence[int] = (16,),
    seeds: Sequence[int] = (1, 2, 3),
    progress: Progress = lambda done, total: None,
) -> Report:
    """Look at a data set's folders, lists and images; nothing is written. All faults are reported, not the first alone.

    Args:
        dataset: which one.
        root: the data root.
        deep: also decode every image.
        shots, seeds: of the few-shot samples that are compared with the published ones.
        progress: told the numbers of images decoded and of all images.
    """
    return _Check(dataset, root, progress).report(deep, shots, seeds)


class _Check:
    """One check under way: each level notes its faults, or why it cannot be judged."""

    def __init__(self, dataset: OnDisk, root: Path, progress: Progress) -> None:
        self.dataset, self.card, self.root, self.progress = dataset, dataset.card, root, progress
        self.faults: list[Fault] = []
        self.skipped: dict[int, str] = {ZERO_SHOT: "--zero_shot asks for it"}
        self.notes: dict[int, str] = {}
        self.place = place(dataset, root)
        self.split: Split | None = None
        self.present: list[str] = []  # images that are there and not empty

    def report(self, deep: bool, shots: Sequence[int], seeds: Sequence[int]) -> Report:
        if self.card.layout in ("folders", "numbered"):
            self._folders()
        else:
            self._layout()
            self._lists()
        if self.split is None:
            for level in (NAMES, FILES, PER_CLASS, DECODING, SAMPLING):
                self.skipped.setdefault(level, "the list of images cannot be used")
        else:
            self._names(self.split)
            self._files(self.split)
            self._per_class(self.split)
            self._decoding(deep)
            self._sampling(self.split, shots, seeds)
        faults = sorted(self.faults, key=lambda fault: fault.level)
        return Report(self.card.name, tuple(faults), self.skipped, self.notes)

    def _layout(self) -> None:
        """Folders, where the images are listed in files: those files may be judged without the images."""
        if not self.place.directory.is_dir():
            self._fault(LAYOUT, [self.place.directory], "no such folder", self._elsewhere(self.place.directory))

    def _folders(self) -> None:
        """Levels 0 and 1, where the folders themselves are the list of images."""
        self.notes |= {SPLIT: "none", IDENTITY: "none"}
        missing = [folder for folder in self._parts() if not folder.is_dir()]
        for folder in missing:
            self._fault(LAYOUT, [folder], "no such folder", self._elsewhere(folder))
        if missing:
            return
        for folder in self._parts():
            self._class_folders(folder)
        try:
            self.split = self.dataset.split(self.place)
        except DepthubError as error:
            if all(fault.severity == "warning" for fault in self.faults):  # faults tell it in full
                self._fault(LAYOUT, [self.place.images], str(error), self._by_hand())

    def _class_folders(self, folder: Path) -> None:
        """What is in a folder of class folders."""
        ids = imagenet.wordnet_ids(self.card.class_list)
        known = dict.fromkeys(map(str, range(len(ids))) if self.card.layout == "numbered" else ids)  # in the order of the labels
        try:
            inside = [folder / entry.name for entry in children(folder)]
            folders = [child for child in inside if kind(child) == FOLDER]
            empty = [child for child in folders if child.name in known and not children(child)]
        except DepthubError as error:
            self._fault(LAYOUT, [folder], str(error), self._by_hand())
            return
        found = [child for child in folders if child.name in known]
        others = [child for child in folders if child.name not in known]
        loose = [child for child in inside if child not in folders]
        if others:
            self._fault(
                LAYOUT, others, "no class of this data set", f"rename it or move it away; class folders are named like {next(iter(known))}"
            )
        if loose:
            what = "a file among the class folders, which is not read"
            self._fault(LAYOUT, loose, what, "leave it or remove it; images belong into class folders", "warning")
        if len(found) != self.card.n_classes:
            lacking = listed([name for name in known if not (folder / name).is_dir()])
            what = f"{len(found)} class folders instead of {self.card.n_classes}; not there: {lacking}"
            self._fault(LAYOUT, [folder], what, self._by_hand())
        if empty:
            self._fault(PER_CLASS, empty, "a class folder without images", "unpack it again")

    def _lists(self) -> None:
        """Levels 1 and 2: the files that list the images."""
        card = self.card
        needed = [card.class_list, *card.parts.values()] if card.layout == "lists" else []
        files = [self.place.directory / name for name in needed] or [self.dataset.split_file(self.place)]
        source = self._source()
        if missing := [path for path in files if not path.is_file()]:
            for path in missing:
                self._fault(SPLIT, [path], "not there", self._misspelt(path) or source)
            self.skipped[IDENTITY] = "there is no list of images"
            return
        try:
            read = self.dataset.split(self.place)
        except DepthubError as error:
            file = next((path for path in files if str(path) in str(error)), files[0])
            what = str(error).removesuffix(f"; {source}")
            what = what.removeprefix(f"cannot read {file}: ").removeprefix(str(file)).lstrip(" :,")
            self._fault(SPLIT, [file], what, source)
            self.skipped[IDENTITY] = "the list of images cannot be read"
            return
        for what in splits.faults(read):
            self._fault(SPLIT, files[:1], what, source)
        self._counts(SPLIT, read, files[0], source)
        self._identity(read, files[0])
        self.split = read

    def _identity(self, read: Split, file: Path) -> None:
        """Level 2: whether a split is the official one."""
        if self.card.layout == "lists":
            self.notes[IDENTITY] = "none"
            return
        state = self.notes[IDENTITY] = splits.state(read, file.read_bytes(), self.card)
        reasons = {
            "self-made": "not the official split, though the numbers are the same: code that found no split file made its own",
            "unknown": "not the official split",
        }
        if state in reasons:
            what = f"{state}: {reasons[state]}; samples and test sets differ from the published ones"
            self._fault(IDENTITY, [file], what, self._source())

    def _names(self, split: Split) -> None:
        """Level 3: the class names in label order."""
        if self.card.layout in ("split", "lists"):
            names = list(split.names.values())
            if splits.names_sha256(names) != self.card.names_sha256:
                what = f"the class names, or their order, are not the published ones{self._swapped(names)}"
                self._fault(NAMES, [self._list_file()], what, self._source())
            return
        other = self.place.directory / CLASS_NAMES
        if other.is_file():
            expected = [f"{i} {name}" for i, name in zip(imagenet.wordnet_ids(), imagenet.class_names(), strict=True)]
            if other.read_text(encoding="utf-8", errors="replace").split("\n")[: len(expected)] != expected:
                what = "not the published list of names; it is not read here, but other code then gives other numbers"
                self._fault(NAMES, [other], what, "remove it or replace it", "warning")

    def _swapped(self, names: Sequence[str]) -> str:
        """The two neighbours whose exchange would make the names right."""
        for i in range(len(names) - 1 if len(names) == self.card.n_classes else 0):
            if splits.names_sha256([*names[:i], names[i + 1], names[i], *names[i + 2 :]]) == self.card.names_sha256:
                return f": labels {i} ({names[i]}) and {i + 1} ({names[i + 1]}) are exchanged"
        return ""

    def _files(self, split: Split) -> None:
        """Level 4: whether every listed image is there."""
        images = self.place.images
        if not self.place.directory.is_dir():
            self.skipped[FILES] = "there is no folder"
            return
        if not images.is_dir():
            self._fault(FILES, [images], "no such folder, hence no images", self._elsewhere(images))
            return
        paths = list(dict.fromkeys(row.path for row in split.rows() if not strange(row.path)))  # of others the split file's level tells
        try:
            found = Listing(images).presence(paths)
        except DepthubError as error:
            self._fault(FILES, [images], str(error), "then check again")
            return
        where = f"listed in {self.card.split_file or 'the lists'}, but"
        self._fault(FILES, [images / path for path in found.missing], f"{where} not there", self._by_hand())
        self._fault(FILES, [images / path for path in found.empty], "an empty file", "unpack it again")
        for what in dict.fromkeys(found.unfit.values()):
            self._fault(FILES, [images / path for path, its in found.unfit.items() if its == what], f"is {what}", self._by_hand())
        for reads in (False, True):  # some systems read a file whatever the case of its name
            pairs = [(path, spelt) for path, spelt in found.misspelt.items() if (images / path).exists() == reads]
            what = f"differs from the list in upper and lower case: {listed([f'{path} is listed' for path, _ in pairs])}"
            self._fault(FILES, [images / spelt for _, spelt in pairs], what, "rename it as it is listed", "warning" if reads else "fault")
        unfit = {*found.missing, *found.empty, *found.misspelt, *found.unfit}
        self.present = [path for path in paths if path not in unfit]

    def _per_class(self, split: Split) -> None:
        """Level 5: images a class."""
        counts: dict[str, Counter[int]] = {part: Counter(row.label for row in rows) for part, rows in split.parts.items()}
        counts["all"] = sum(counts.values(), Counter[int]())
        for part, (least, most) in self.card.per_class.items():
            wrong = [f"{name} ({n})" for label, name in split.names.items() if not least <= (n := counts[part][label]) <= most]
            if wrong:
                expected = f"{least}" if least == most else f"{least} to {most}"
                what = f"classes with other numbers of images in {part} than the {expected} that are published: {listed(wrong)}"
                self._fault(PER_CLASS, [self._list_file()], what, self._source())
        if self.card.layout in ("folders", "numbered"):
            self._counts(PER_CLASS, split, self.place.images, self._by_hand())

    def _decoding(self, deep: bool) -> None:
        """Level 6: whether the images can be read."""
        if not deep:
            self.skipped[DECODING] = "--deep asks for it"
        elif not self.present:
            self.skipped[DECODING] = "there are no images"
        else:
            for finding, names in oddities(self.place.images, self.present, self.progress).items():
                files = [self.place.images / name for name in names]
                if finding.startswith(BROKEN):
                    self._fault(DECODING, files, finding, "unpack it again")
                else:
                    self._fault(DECODING, files, finding, HARMLESS, "warning")

    def _sampling(self, split: Split, shots: Sequence[int], seeds: Sequence[int]) -> None:
        """Level 7: whether few-shot samples are the published ones."""
        wanted = [(k, seed) for k in shots for seed in seeds if f"{k}/{seed}/train" in self.card.fingerprints]
        if not wanted:
            self.skipped[SAMPLING] = "no such sample is published"
            return
        differing = [f"{k} shots with seed {seed}" for k, seed in wanted if not self._as_published(split, k, seed)]
        self.notes[SAMPLING] = f"{len(wanted) - len(differing)} of {len(wanted)}"
        if differing:
            what = f"gives other samples than the published ones: {listed(differing)}"
            files = [self._list_file()]
            self._fault(SAMPLING, files, what, "see the levels before: it takes the official list, in its order")

    def _as_published(self, split: Split, shots: int, seed: int) -> bool:
        """Whether the sample, training and validation images, has the published fingerprints."""
        drawn = draw_both([row.label for row in split.train], [row.label for row in split.val], shots, seed)
        samples = {"train": [split.train[i] for i in drawn[0]], "val": [split.val[i] for i in drawn[1]]}
        return all(
            fingerprint([row.path for row in rows], [row.label for row in rows]) == self.card.fingerprints[f"{shots}/{seed}/{part}"]
            for part, rows in samples.items()
        )

    def _counts(self, level: int, split: Split, file: Path, remedy: str) -> None:
        if wrong := splits.miscounts(split, self.card):
            self._fault(level, [file], f"the numbers are not the published ones ({'; '.join(wrong)})", remedy)

    def _list_file(self) -> Path:
        """What lists the images, and with them the classes."""
        if self.card.layout == "split":
            return self.dataset.split_file(self.place)
        return self.place.directory / self.card.class_list if self.card.layout == "lists" else self.place.images

    def _source(self) -> str:
        """Where the right list comes from."""
        if self.card.layout == "split":
            return splits.source(self.card, self._list_file())
        return "it is part of the official archive: unpack it again" if self.card.layout == "lists" else self._by_hand()

    def _parts(self) -> list[Path]:
        return [self.place.images / folder for folder in self.card.parts.values()]

    def _by_hand(self) -> str:
        return self.card.by_hand or "unpack the official archive again"

    def _elsewhere(self, folder: Path) -> str:
        """What to do about a folder that is not there."""
        misnamed = self.place.directory / self.card.misnamed
        if self.card.misnamed and misnamed.is_dir():
            return f"rename {self._relative(misnamed)} to {self.card.images}"
        if remedy := self._misspelt(folder):
            return remedy
        if self.root.name in {directory.partition("/")[0] for directory, _ in self.card.places}:
            return f"give the folder that holds {self.card.directory}/ as --data_root, not that folder itself"
        return f"`depthub data prepare {self.card.name} --from PATH` arranges what is elsewhere; otherwise {self._by_hand()}"

    def _misspelt(self, path: Path) -> str:
        """What to do about what is in the place of a missing file or folder; empty if that is nothing."""
        spelt = Listing(self.root).spelt(self._relative(path)) if self.root.is_dir() and path.is_relative_to(self.root) else None
        if spelt and self.root / spelt == path:
            return "something else is in its place, perhaps a link that leads nowhere: move it away"
        return f"{spelt} differs from it in upper and lower case: rename it" if spelt else ""

    def _relative(self, path: Path) -> str:
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def _fault(self, level: int, files: Sequence[Path], what: str, remedy: str, severity: Literal["fault", "warning"] = "fault") -> None:
        if files:
            self.faults.append(Fault(level, tuple(map(self._relative, files)), what, remedy, severity))


def place(dataset: OnDisk, root: Path) -> Place:
    """Where a data set lies below the data root, or where what there is of it lies, or where it should."""
    try:
        return dataset.place(root)
    except DepthubError:
        places = [Place(root / directory, root / directory / images) for directory, images in dataset.card.places]
        return next((one for one in places if one.directory.is_dir()), places[0])


def is_there(dataset: OnDisk, root: Path) -> bool:
    """Whether a folder of a data set is below the data root, in whatever case."""
    return any(Listing(root).spelt(directory) for directory, _ in dataset.card.places)
