"""Build the site: `python -m docs.site [FOLDER]`, from the root of a clone. Warnings are errors; the pages end up in FOLDER/site."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site.source import ROOT, write

CONFIGURATION = "zensical.toml"
READERS = re.compile(r"^(griffe|mkdocstrings): ", re.MULTILINE)  # readers of docstrings, whose warnings the generator does not count
DEFAULT = ROOT / "build/docs"


def main(folder: Path) -> int:
    """Write the pages' source to `folder/source`, and the site to `folder/site`; the exit status is the generator's."""
    # a page must not depend on what else is installed here, or on the width of somebody's terminal
    os.environ |= {"DEPTHUB_LOAD_PLUGINS": "", "COLUMNS": "80", "NO_COLOR": "1"}
    for part in ("source", "site"):
        shutil.rmtree(folder / part, ignore_errors=True)
    write(ROOT / CONFIGURATION, folder / "source")
    shutil.copy(ROOT / CONFIGURATION, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(folder / CONFIGURATION)]
    # the API reference is read from the source tree, which need not be installed for that
    built = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    printed = built.stdout + built.stderr
    sys.stdout.write(printed)
    return built.returncode or int(bool(READERS.search(printed)))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else DEFAULT))
