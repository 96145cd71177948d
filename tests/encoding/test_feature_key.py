"""Keys of image features: those of caches on users' disks, which stay valid."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PIL.Image import Image

from depthub import BackboneSpec
from depthub.data.dataset import Examples
from depthub.encoding import feature_key
from depthub.encoding.feature_key import Encoder, kind, row_keys
from depthub.spec import digest

FILES = BackboneSpec("/home/a/tiny.json", "/home/b/w.safetensors", "ab12")
DIRECTORY = BackboneSpec("local-dir:/home/a/model", "", "ab12")
TAG = BackboneSpec("ViT-B-16", "openai")
VIEW = (3, 1)
# SHA-256 of each kind, the name of its file on disk
KINDS = {
    (DIRECTORY, None): "cc5a974c91349c7e295942e25a02e126fa26a03a5cb292ccab34118f564759fb",
    (DIRECTORY, VIEW): "83f00f963894a8dd03559773169f11e08d5682c37004cc2fa99ac97fd8db7f4b",
    (FILES, None): "0115f83a130d3174bcef12943dcd72624e42d6b8c827625b44a9651d9f99c65c",
    (FILES, VIEW): "9661d1a7ac8405b6c5780084ccf84f19c83933de35ab0cb57bb87142721f1e18",
    (TAG, None): "1785734ee35a6058019781ad0038729386ba642c3153ef8b98d26c556078de42",
    (TAG, VIEW): "563dc2c4a474c6b92b3b59a7ec8e298b47628bd45cffa84ad5368028b902e504",
}
ROWS = {
    None: [
        "ff2f97804205387c2d54706d71fb3bdbad41f293af3d8c341e1edb96f1470718",
        "6e5c7a06baaff080ea99e785c4726667f02e0cd8bfb8e6ed1ac1bb415b9e04e7",
    ],
    VIEW: [
        "4b079d1b9e14f9130cea16bf12a3d260262bb38ad8b6d17806e935f1f0d58ae0",
        "052b50e6b978a553ff0cf00b29647ed0c0e0af9d0bf8ac5fb38a1a49cc519770",
    ],
}


@dataclass(frozen=True)
class Reader:
    """A reader of pictures with a fingerprint."""

    def __call__(self, name: str) -> Image:
        raise NotImplementedError

    def fingerprint(self, name: str) -> str:
        return f"print of {name}"


@pytest.mark.parametrize(("spec", "view"), KINDS, ids=str)
def test_kinds_are_the_stored_ones(spec: BackboneSpec, view: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_key, "version", lambda name: f"{name} 1.0")
    encoder = Encoder(spec.without_folders(), "cd34", "torch.float32", "cpu", 8)
    assert digest(kind(encoder, "", "'train'" if view else "'test'", view)) == KINDS[spec, view]


@pytest.mark.parametrize("view", ROWS)
def test_row_keys_are_the_stored_ones(view: tuple[int, int] | None) -> None:
    assert row_keys(Examples(("a.png", "b.png"), (0, 1), Reader()), view, "cpu") == ROWS[view]


def test_a_digest_replaces_the_folders_of_files() -> None:
    assert FILES.without_folders() == BackboneSpec("tiny.json", "w.safetensors", "ab12")
    assert DIRECTORY.without_folders() == BackboneSpec("local-dir:model", "", "ab12")
    hub = BackboneSpec("hf-hub:owner/name", "", "ab12")
    assert hub.without_folders() == hub
    assert TAG.without_folders() == TAG
