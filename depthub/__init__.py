"""depthub: benchmark the tuning of CLIP-like vision-language models with few images.

Everything public is here; plugins import from nowhere else. `__init__.pyi` lists the names. Each is loaded when it is first
used, so that `import depthub` does not pay for torch.
"""

from __future__ import annotations

import lazy_loader

from depthub.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
