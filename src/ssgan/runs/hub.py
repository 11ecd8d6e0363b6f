"""Repositories of the Hugging Face Hub, by its own library: one file down, a folder up.

The library finds the user's token; it is never read, printed or stored here.
"""

import importlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ssgan.files.download import OFFLINE
from ssgan.files.names import printable
from ssgan.types import UserError

MODEL_FILE = "model.safetensors"  # in a repository, and in an exported folder
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"({_PART})/({_PART})(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?")
_SECRET = re.compile(r"hf_\w+|(?i:bearer)\s+\S+")
_LONGEST = 300  # characters of a reason
_FILE = re.compile(r".*\.(safetensors|ckpt|pth|np[yz]|zip|tar|t?gz|png|jpe?g|json)")
_OWN_FOLDER = "runs"  # where runs are by default: RUN that is not there is no repository


class Repository(NamedTuple):
    """A model repository of the Hub."""

    name: str  # OWNER/NAME
    revision: str | None = None  # a commit, a tag or a branch; None: the newest


def parse_repository(source: str | Path) -> Repository | None:
    """The repository that a text names; None for a path.

    A text that is a path here, or whose OWNER is a folder here, is a path; so are `runs/NAME` and
    names with the ending of a file. hub: says that it is none.
    """
    source = source.as_posix() if isinstance(source, Path) else source
    text = source.removeprefix("hub:")
    match = _NAME.fullmatch(text)
    if source.startswith("hub:"):
        if match is None:
            raise UserError(f"{printable(source)} must be like hub:OWNER/NAME[@REVISION]")
        return Repository(f"{match[1]}/{match[2]}", match[3])
    if match is None or match[1] == _OWN_FOLDER or os.path.isdir(match[1]):
        return None
    if _FILE.fullmatch(text) or os.path.exists(text):
        return None
    return Repository(f"{match[1]}/{match[2]}", match[3])


def download_model(repository: Repository) -> Path:
    """The model's file of a repository, in the library's cache.

    Raises UserError, in one line, when it is not there or not reached.
    """
    name, revision = repository
    if os.environ.get(OFFLINE) == "1":
        raise UserError(f"{OFFLINE}=1 forbids downloads, and {name} is a repository of the Hub")
    library = _library(f"{name} is not here, and as a repository of the Hub it")
    with _one_line(name, missing="; nor is there such a path here"):
        return Path(library.hf_hub_download(name, MODEL_FILE, revision=revision))


def push_folder(folder: Path, files: Sequence[str], name: str, *, private: bool = False) -> str:
    """Upload these files of a folder to a repository, made if necessary; returns its address.

    Raises UserError, in one line.
    """
    require_upload(name)
    library = _library(name)
    with _one_line(name):
        api = library.HfApi()
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=list(files),
            commit_message="Model of ssgan",
        )
        return str(address)


def require_upload(name: str) -> None:
    """Raise UserError for a text that is not OWNER/NAME, offline, or without the Hub's library."""
    if (match := _NAME.fullmatch(name)) is None or match[3]:
        raise UserError(f"{printable(name)} must be OWNER/NAME, a repository of the Hub")
    if os.environ.get(OFFLINE) == "1":
        raise UserError(f"{OFFLINE}=1 forbids uploads to {name}")
    _library(name)


def _library(subject: str) -> Any:
    try:
        importlib.import_module("huggingface_hub.utils.logging")  # which sets a level
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            f"{subject} requires the package huggingface_hub: pip install 'ssgan[hub]'"
        ) from None


@contextmanager
def _one_line(name: str, missing: str = "") -> Iterator[None]:
    """Within, an error of the library or the network becomes a UserError without any token.

    `missing` ends the sentence on a repository that is not there. The library's own lines about
    every retry are left out.
    """
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:  # the library and those below it have many types
        kind = type(error).__name__
        reason = _REASONS.get(kind) or f"{kind}: {' '.join(str(error).split())}"
        reason += missing * (kind == "RepositoryNotFoundError")
        reason = printable(_SECRET.sub("***", reason))[:_LONGEST]
        raise UserError(f"{name} on the Hub: {reason}") from None
    finally:
        logger.setLevel(level)


_REASONS = {
    "RepositoryNotFoundError": "no such repository, or it is private: `hf auth login`",
    "GatedRepoError": "its owner must grant access first; then `hf auth login`",
    "RevisionNotFoundError": "it has no such revision",
    "RemoteEntryNotFoundError": f"it holds no {MODEL_FILE}",
    "EntryNotFoundError": f"it holds no {MODEL_FILE}",
    "LocalEntryNotFoundError": f"it is not reached, and no {MODEL_FILE} is in the cache; check the "
    "connection, or unset HF_HUB_OFFLINE",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids it; unset it",
    "LocalTokenNotFoundError": "no token; `hf auth login`",
}
