"""The check of a published data set on disk: its differences from the published one, level by level, with remedies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from depthub.data.check_report import LEVELS, Fault, Report, Severity
from depthub.data.decode import BROKEN, HARMLESS, Progress, oddities
from depthub.data.fewshot import draw_both, fingerprint
from depthub.data.listing import FOLDER, Listing, Presence, children, is_plain_path, kind
from depthub.data.published import class_folders, imagenet, splits
from depthub.data.published.list_error import UnusableListError
from depthub.data.published.on_disk import OnDisk, Place
from depthub.data.published.remedies import Remedies
from depthub.data.published.splits import Split
from depthub.errors import DepthubError
from depthub.values.text import listed

LAYOUT, SPLIT, IDENTITY, NAMES, FILES, PER_CLASS, DECODING, SAMPLING, ZERO_SHOT = range(len(LEVELS))
CLASS_NAMES = "classnames.txt"  # ImageNet's class names for other code; depthub does not read it


def check(
    dataset: OnDisk,
    root: Path,
    *,
    deep: bool = False,
    shots: Sequence[int] = (16,),
    seeds: Sequence[int] = (1, 2, 3),
    progress: Progress = lambda done, total: None,
) -> Report:
    """Check a data set's folders, lists and images; nothing is written. The report has all faults, not only the first.

    Args:
        dataset: the data set.
        root: the data root.
        deep: also decode every image.
        shots, seeds: numbers of shots and seeds of the few-shot samples to compare with the published ones.
        progress: called with the numbers of images decoded and of all images.
    """
    return _Check(dataset, root, progress).report(deep, shots, seeds)


class _Check:
    """A check in progress: each level adds its faults, or the reason why it is skipped."""

    def __init__(self, dataset: OnDisk, root: Path, progress: Progress) -> None:
        self.dataset, self.card, self.root, self.progress = dataset, dataset.card, root, progress
        self.faults: list[Fault] = []
        self.skipped: dict[int, str] = {ZERO_SHOT: "--zero_shot asks for it"}
        self.notes: dict[int, str] = {}
        self.place = place(dataset, root)
        self.remedies = Remedies(dataset, root, self.place)
        self.split: Split | None = None
        self.present: list[str] = []  # images that exist and are not empty

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
        """Level 0 for images listed in files: the data set's folder. A missing folder of images is a fault of level 4."""
        if not self.place.directory.is_dir():
            self._fault(LAYOUT, [self.place.directory], "no such folder", self.remedies.missing_folder(self.place.directory))

    def _folders(self) -> None:
        """Levels 0 and 1, where the folders themselves are the list of images."""
        self.notes |= {SPLIT: "none", IDENTITY: "none"}
        parts = [self.place.images / folder for folder in self.card.parts.values()]
        missing = [folder for folder in parts if not folder.is_dir()]
        for folder in missing:
            self._fault(LAYOUT, [folder], "no such folder", self.remedies.missing_folder(folder))
        if missing:
            return
        for folder in parts:
            self._class_folders(folder)
        try:
            self.split = self.dataset.split(self.place)
        except DepthubError as error:
            if all(fault.severity == "warning" for fault in self.faults):  # otherwise the faults say it in full
                self._fault(LAYOUT, [self.place.images], str(error), self.remedies.by_hand())

    def _class_folders(self, folder: Path) -> None:
        """The content of a folder of class folders."""
        names = class_folders.imagenet_rows(self.card)
        try:
            inside = [folder / entry.name for entry in children(folder)]
            folders = [child for child in inside if kind(child) == FOLDER]
            empty = [child for child in folders if child.name in names and not children(child)]
        except DepthubError as error:
            self._fault(LAYOUT, [folder], str(error), self.remedies.by_hand())
            return
        others = [child for child in folders if child.name not in names]
        remedy = f"rename it or move it away; class folders are named like {next(iter(names))}"
        self._fault(LAYOUT, others, "not a class of this data set", remedy)
        loose = [child for child in inside if child not in folders]
        remedy = "leave it or remove it; images belong into class folders"
        self._fault(LAYOUT, loose, "a file among the class folders, which is not read", remedy, "warning")
        n_classes = len(folders) - len(others)
        if n_classes != self.card.n_classes:
            missing = listed([name for name in names if not (folder / name).is_dir()])
            what = f"{n_classes} class folders instead of {self.card.n_classes}; not there: {missing}"
            self._fault(LAYOUT, [folder], what, self.remedies.by_hand())
        self._fault(PER_CLASS, empty, "a class folder without images", "unpack it again")

    def _lists(self) -> None:
        """Levels 1 and 2: the files that list the images."""
        card, list_file, right_list = self.card, self.remedies.list_file(), self.remedies.right_list()
        files = [list_file]
        if card.layout == "lists":
            files += [self.place.directory / name for name in card.parts.values()]
        if missing := [path for path in files if not path.is_file()]:
            for path in missing:
                self._fault(SPLIT, [path], "not there", self.remedies.other_case(path) or right_list)
            self.skipped[IDENTITY] = "there is no list of images"
            return
        try:
            split = self.dataset.split(self.place)
        except UnusableListError as error:
            self._fault(SPLIT, [error.file], error.fault, right_list)
            self.skipped[IDENTITY] = "the list of images cannot be read"
            return
        for what in splits.faults(split):
            self._fault(SPLIT, [list_file], what, right_list)
        self._counts(SPLIT, split, list_file, right_list)
        self._identity(split, list_file)
        self.split = split

    def _identity(self, split: Split, file: Path) -> None:
        """Level 2: whether a split is the official one."""
        if self.card.layout == "lists":
            self.notes[IDENTITY] = "none"
            return
        state = self.notes[IDENTITY] = splits.state(split, file.read_bytes(), self.card)
        reasons = {
            "self-made": "not the official split, though the numbers are the same: code that found no split file made its own",
            "unknown": "not the official split",
        }
        if state in reasons:
            what = f"{state}: {reasons[state]}; samples and test sets differ from the published ones"
            self._fault(IDENTITY, [file], what, self.remedies.right_list())

    def _names(self, split: Split) -> None:
        """Level 3: the class names in label order."""
        if self.card.layout in ("split", "lists"):
            names = list(split.names.values())
            if splits.names_sha256(names) != self.card.names_sha256:
                what = f"the class names, or their order, are not the published ones{self._swapped(names)}"
                self._fault(NAMES, [self.remedies.list_file()], what, self.remedies.right_list())
            return
        other = self.place.directory / CLASS_NAMES
        if other.is_file():
            expected = [f"{i} {name}" for i, name in zip(imagenet.wordnet_ids(), imagenet.class_names(), strict=True)]
            if other.read_text(encoding="utf-8", errors="replace").split("\n")[: len(expected)] != expected:
                what = "not the published list of names; it is not read here, but other code then gives other numbers"
                self._fault(NAMES, [other], what, "remove it or replace it", "warning")

    def _swapped(self, names: Sequence[str]) -> str:
        """The two neighbours that are exchanged, if that is all; empty: it is not."""
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
            self._fault(FILES, [images], "no such folder, hence no images", self.remedies.missing_folder(images))
            return
        paths = list(dict.fromkeys(row.path for row in split.rows() if is_plain_path(row.path)))  # other paths are faults of level 1
        try:
            presence = Listing(images).presence(paths)
        except DepthubError as error:
            self._fault(FILES, [images], str(error), "then check again")
            return
        self._presence(presence)
        unfit = {*presence.missing, *presence.empty, *presence.other_case, *presence.unfit}
        self.present = [path for path in paths if path not in unfit]

    def _presence(self, presence: Presence) -> None:
        """The faults of listed images that are missing, empty, or something else."""
        images, by_hand = self.place.images, self.remedies.by_hand()
        where = f"listed in {self.card.split_file or 'the lists'}, but"
        self._fault(FILES, [images / path for path in presence.missing], f"{where} not there", by_hand)
        self._fault(FILES, [images / path for path in presence.empty], "an empty file", "unpack it again")
        for obstacle in dict.fromkeys(presence.unfit.values()):
            paths = [path for path, its_obstacle in presence.unfit.items() if its_obstacle == obstacle]
            self._fault(FILES, [images / path for path in paths], f"is {obstacle}", by_hand)
        severities: tuple[tuple[bool, Severity], ...] = ((False, "fault"), (True, "warning"))
        for opens, severity in severities:  # some systems open a file whatever the case of its name
            pairs = [(path, on_disk) for path, on_disk in presence.other_case.items() if (images / path).exists() == opens]
            what = f"differs from the list in upper and lower case: {listed([f'{path} is listed' for path, _ in pairs])}"
            self._fault(FILES, [images / on_disk for _, on_disk in pairs], what, "rename it as it is listed", severity)

    def _per_class(self, split: Split) -> None:
        """Level 5: images per class."""
        counts: dict[str, Counter[int]] = {part: Counter(row.label for row in rows) for part, rows in split.parts.items()}
        counts["all"] = sum(counts.values(), Counter[int]())
        for part, (least, most) in self.card.per_class.items():
            wrong = [f"{name} ({n})" for label, name in split.names.items() if not least <= (n := counts[part][label]) <= most]
            if wrong:
                expected = f"{least}" if least == most else f"{least} to {most}"
                what = f"classes with other numbers of images in {part} than the {expected} that are published: {listed(wrong)}"
                self._fault(PER_CLASS, [self.remedies.list_file()], what, self.remedies.right_list())
        if self.card.layout in ("folders", "numbered"):
            self._counts(PER_CLASS, split, self.place.images, self.remedies.by_hand())

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
        published = [(k, seed) for k in shots for seed in seeds if f"{k}/{seed}/train" in self.card.fingerprints]
        if not published:
            self.skipped[SAMPLING] = "no such sample is published"
            return
        differing = [f"{k} shots with seed {seed}" for k, seed in published if not self._as_published(split, k, seed)]
        self.notes[SAMPLING] = f"{len(published) - len(differing)} of {len(published)}"
        if differing:
            what = f"gives other samples than the published ones: {listed(differing)}"
            remedy = "see the levels before: it takes the official list, in its order"
            self._fault(SAMPLING, [self.remedies.list_file()], what, remedy)

    def _as_published(self, split: Split, shots: int, seed: int) -> bool:
        """Whether the sample, training and validation images, has the published fingerprints."""
        train, val = draw_both([row.label for row in split.train], [row.label for row in split.val], shots, seed)
        samples = {"train": [split.train[i] for i in train], "val": [split.val[i] for i in val]}
        return all(
            fingerprint([row.path for row in rows], [row.label for row in rows]) == self.card.fingerprints[f"{shots}/{seed}/{part}"]
            for part, rows in samples.items()
        )

    def _counts(self, level: int, split: Split, file: Path, remedy: str) -> None:
        if wrong := splits.miscounts(split, self.card):
            self._fault(level, [file], f"the numbers are not the published ones ({'; '.join(wrong)})", remedy)

    def _fault(self, level: int, files: Sequence[Path], what: str, remedy: str, severity: Severity = "fault") -> None:
        """Add a fault of these files; nothing if there are none."""
        if files:
            self.faults.append(Fault(level, tuple(map(self.remedies.relative, files)), what, remedy, severity))


def place(dataset: OnDisk, root: Path) -> Place:
    """The place of a data set below the data root; of an incomplete one the place of its directory, or else its usual place."""
    try:
        return dataset.place(root)
    except DepthubError:
        places = [Place(root / directory, root / directory / images) for directory, images in dataset.card.places]
        return next((usual for usual in places if usual.directory.is_dir()), places[0])


def is_there(dataset: OnDisk, root: Path) -> bool:
    """Whether a folder of a data set is below the data root, in whatever case."""
    return any(Listing(root).on_disk(directory) for directory, _ in dataset.card.places)
