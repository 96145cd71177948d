"""Signatures by `ssh-keygen -Y`: the keys that people have, and nothing to install."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from depthub.errors import DepthubError

NAMESPACE = "depthub"
LIMIT = 60  # seconds for a call


@dataclass(frozen=True)
class Signers:
    """The identities whose signatures count.

    Args:
        file: in the form of ssh-keygen's ALLOWED SIGNERS; it need not be there, and then nobody's count.
    """

    file: Path

    def confirms(self, signature: str, identity: str, message: bytes) -> bool:
        """Whether this identity signed these bytes.

        Raises:
            DepthubError: if ssh-keygen is not there.
        """
        if not self.file.is_file():
            return False
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "signature"
            path.write_text(signature)
            options = ["-f", str(self.file.absolute()), "-I", identity, "-n", NAMESPACE, "-s", str(path)]
            return _keygen(["-Y", "verify", *options], message).returncode == 0


def sign(message: bytes, key: Path) -> str:
    """The signature of bytes by a private key, or by the agent's for a public one.

    Raises:
        DepthubError: if ssh-keygen or the key is not there, or it refuses.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record"
        path.write_bytes(message)
        done = _keygen(["-Y", "sign", "-f", str(key.absolute()), "-n", NAMESPACE, str(path)], b"")
        signature = path.with_name("record.sig")
        if done.returncode or not signature.is_file():
            raise DepthubError(f"cannot sign with {key}: {' '.join(done.stderr.decode(errors='replace').split())}")
        return signature.read_text()


def _keygen(arguments: list[str], message: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise DepthubError("ssh-keygen is not installed; signatures need OpenSSH 8.2 or later (apt install openssh-client)")
    try:
        return subprocess.run([program, *arguments], input=message, capture_output=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise DepthubError(f"ssh-keygen did not answer within {LIMIT} s; give a key without a passphrase, or one of an agent") from error
