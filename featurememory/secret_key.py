"""The key that signs sessions: made once, kept in the data directory, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def load_or_make_secret_key(data_dir: Path) -> str:
    """The installation's key; two processes that start at the same time agree on one."""
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(60))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
