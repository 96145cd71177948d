"""Files that data sets skip: hidden files, and files that systems leave behind.

What `folder:` skips, all in all:

    cat/.DS_Store, cat/@eaDir/      hidden, or left behind by a system (`LEFT_BEHIND`): skipped in silence
    cat/readme.txt                  no ending of a picture (`picture_formats.SUFFIXES`): skipped, and counted in a note
    1.jpg                           a picture beside the class folders: likewise
    train/, test/, drafts/          a folder beside the parts: likewise
"""

from __future__ import annotations

# What operating systems, network drives and tools put beside other people's files, in lower case.
LEFT_BEHIND = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "$recycle.bin", "system volume information"),
        *("__macosx", "lost+found", "__pycache__"),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    }
)


def visible(name: str) -> bool:
    """Whether a file or folder counts: neither hidden (a dot in front) nor left behind by a system."""
    return not name.startswith(".") and name.casefold() not in LEFT_BEHIND
