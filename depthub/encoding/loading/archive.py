"""TorchScript archives, as OpenAI published CLIP: their parameters and buffers, read without running code of the archive.

An archive is a zip file: `data.pkl` has the modules as nested objects, `data/` their tensors, `code/` the source of their classes, from
which only the lists of parameters and buffers are used.
"""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

DTYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}
CLASS = re.compile(r"^class (\w+)\(Module\):\n  __parameters__ = \[(.*?)\]\n  __buffers__ = \[(.*?)\]", re.MULTILINE)
QUOTED = re.compile(r'"([^"]+)"')
MOST_CODE = 2**24  # bytes of one source file, unpacked; the largest of CLIP has some 10^5


def is_archive(zipped: ZipFile) -> bool:
    """Whether a zip file is from `torch.jit.save`."""
    root = root_of(zipped)
    return {f"{root}/data.pkl", f"{root}/constants.pkl"} <= {*zipped.namelist()}


def root_of(zipped: ZipFile) -> str:
    """The one folder at the top of a zip file of torch."""
    return next(iter(zipped.namelist()), "").partition("/")[0]


def read(path: Path) -> dict[str, Any]:
    """Parameters and buffers by name, and the attributes of the outermost module that are plain numbers.

    Raises:
        pickle.UnpicklingError: for an archive with other objects than modules, tensors and plain containers.
        ValueError: if the size of a tensor is not that of its bytes.
        RuntimeError: if a tensor reaches beyond its bytes.
    """
    with ZipFile(path) as zipped:
        root = root_of(zipped)
        module = _Unpickler(zipped, root).load()
        return dict(_tensors(module, _declared(zipped, root), ""))


class _Module:
    """Stand-in for a module of the archive, with its attributes.

    Attributes:
        path: of its class in the archive.
    """

    path: tuple[str, str] = ("", "")


class _Unpickler(pickle.Unpickler):
    """Makes tensors, plain containers and stand-ins for modules; the pickle can name nothing else."""

    def __init__(self, zipped: ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(zipped.read(f"{root}/data.pkl")))
        self.zipped, self.root = zipped, root
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            return type(name, (_Module,), {"path": (module, name)})
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch.jit._pickle":  # typed lists, and values with a type of TorchScript's
            return lambda value, *_: value
        if (module, name) in (("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2")):
            return OrderedDict if name == "OrderedDict" else _tensor
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of ("storage", type, key, place, count) in one row."""
        _, dtype, key, _, count = pid
        if key not in self.storages:
            entry = self.zipped.getinfo(f"{self.root}/data/{key}")
            if entry.compress_type != ZIP_STORED or entry.file_size != count * dtype.itemsize:
                raise ValueError(f"{entry.filename} has {entry.file_size} bytes, expected {count * dtype.itemsize}")
            content = bytearray(self.zipped.read(entry))
            self.storages[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return self.storages[key]


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _declared(zipped: ZipFile, root: str) -> dict[tuple[str, str], set[str]]:
    """Names of parameters and buffers by class; other tensors of a module, like a mask, are not part of its state."""
    names: dict[tuple[str, str], set[str]] = {}
    for entry in zipped.infolist():
        place = Path(entry.filename)
        if place.suffix == ".py" and entry.file_size <= MOST_CODE:
            module = ".".join(place.relative_to(f"{root}/code").with_suffix("").parts)
            for name, parameters, buffers in CLASS.findall(zipped.read(entry).decode("utf-8", "replace")):
                names[module, name] = {*QUOTED.findall(parameters), *QUOTED.findall(buffers)}
    return names


def _tensors(module: Any, declared: Mapping[tuple[str, str], set[str]], prefix: str) -> Iterator[tuple[str, Any]]:
    """Names with prefix and tensors of a module and those in it; plain numbers of the outermost one."""
    attributes = vars(module) if isinstance(module, _Module) else {}
    state = declared.get(module.path, set(attributes)) if attributes else set()
    for name, value in attributes.items():
        if isinstance(value, _Module):
            yield from _tensors(value, declared, f"{prefix}{name}.")
        elif isinstance(value, Tensor) and name in state:
            yield prefix + name, value
        elif type(value) is int and not prefix:
            yield name, value
