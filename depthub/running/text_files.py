"""The files of class texts that runs name: each is read once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from depthub.data.class_texts import ClassTexts, read
from depthub.errors import DepthubError, hint
from depthub.registry.plugins import Plugins
from depthub.spec import RunSpec, TextsSpec
from depthub.system.files import is_file

KIND = "texts"  # of the plugins' files


def with_texts(spec: RunSpec, place: str) -> RunSpec:
    """The spec of a finished run with the place of its class texts on this machine; an empty one is the name that the run has for them.

    Raises:
        DepthubError: if the run has no texts.
    """
    if not place:
        return spec
    if spec.texts is None:
        raise DepthubError(f"run {spec.run_id[:12]} has no class texts; leave texts (--texts {place}) out")
    return replace(spec, texts=replace(spec.texts, name=place))


class TextFiles:
    """Reads class texts by their specs.

    Args:
        plugins: that provide files under names of their own.
    """

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self._read: dict[Path, ClassTexts] = {}

    def load(self, spec: TextsSpec) -> ClassTexts:
        """The texts of a spec.

        Raises:
            DepthubError: if there is no such file, it is damaged, or it is not the one of the spec's digest.
        """
        path = self._path(spec.name)
        if path not in self._read:
            self._read[path] = read(path)
        texts = self._read[path]
        if spec.sha256 not in ("", texts.sha256):
            digests = f"sha256 {texts.sha256[:12]}, expected {spec.sha256[:12]}"
            raise DepthubError(f"{path}: these class texts are not those of the spec: {digests}; give the file that the run had")
        return texts

    def resolved(self, spec: TextsSpec) -> TextsSpec:
        """The spec with the digest, and with an absolute path, so that other processes find the file; errors as of `load`."""
        texts = self.load(spec)
        return replace(spec, name=spec.name if self._is_provided(spec.name) else str(texts.path), sha256=texts.sha256)

    def _path(self, name: str) -> Path:
        if self._is_provided(name):
            return Path(self.plugins.get(KIND, name).path)
        path = Path(name).absolute()
        if not is_file(path):
            known = hint(name, self.plugins.names(KIND))
            raise DepthubError(
                f"no class texts {name!r}: neither a file nor the name of a plugin's{known}; state the file with texts (--texts)"
            )
        return path

    def _is_provided(self, name: str) -> bool:
        return name in self.plugins.names(KIND)
