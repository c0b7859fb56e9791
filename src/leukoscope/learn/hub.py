"""Which folder holds the classifier that a person named: here, in the package, or on the Hub?"""

from pathlib import Path
from typing import Any

from leukoscope.data.seen import SEEN
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.files import reason
from leukoscope.learn import folder as folders

PREFIX = "hub:"
_FILES = ("config.json", "*.safetensors", "*.onnx", "export.json", "README.md", SEEN)


def find(name: str | Path) -> Path:
    """The folder of a classifier: `name` itself, or for `hub:owner/name` (and, after `@`, a
    revision) a copy from the Hugging Face Hub, kept in its own cache.

    Only the files of a classifier are fetched, none of which can run code.
    """
    if not is_hub(name):
        return Path(name)
    hub = _library()
    repo, _, revision = str(name).removeprefix(PREFIX).partition("@")
    try:
        folder = hub.snapshot_download(repo, revision=revision or None, allow_patterns=_FILES)
    except hub.errors.HFValidationError as error:
        raise UsageError(f"{name}: {reason(error)}. Names are {PREFIX}owner/name.") from error
    except Exception as error:  # whatever its HTTP client raises
        raise LeukoscopeError(
            f"{name} could not be fetched from the Hugging Face Hub: {_said(error)}"
        ) from error
    if not (Path(folder) / "config.json").is_file():
        raise UsageError(f"{name} is no classifier: it has no config.json.")
    return Path(folder)


def split(first: str, others: list[str]) -> tuple[Path, list[str]]:
    """The folder of a classifier, and the words that mean pictures.

    The first word names the classifier. Where it is none and the package has one of its own, that
    one is meant, and the first word is a picture too.
    """
    run = Path(first)
    inside = [*run.glob("classifier/config.json"), *sorted(run.glob("*/classifier/config.json"))]
    if inside and not is_hub(first):
        raise UsageError(f"{first} is a run and no classifier; did you mean {inside[0].parent}?")
    named = is_hub(first) or (Path(first) / "config.json").is_file()
    if named or not folders.DEFAULT.is_dir():
        return find(first), others
    return folders.DEFAULT, [first, *others]


def is_hub(name: str | Path) -> bool:
    """Whether a name is one on the Hub."""
    return str(name).startswith(PREFIX)


def push(folder: Path, repo: str, *, private: bool = False) -> str:
    """The address of the repository `owner/name` on the Hub, made if need be, that now holds the
    classifier in `folder`.

    The token is that of `hf auth login`, or `HF_TOKEN`.
    """
    folders.read_config(folder)  # nothing but a classifier is sent
    hub = _library()
    repo = repo.removeprefix(PREFIX)
    try:
        api = hub.HfApi()
        made = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            allow_patterns=list(_FILES),
            commit_message="Classifier",
        )
    except hub.errors.HFValidationError as error:
        raise UsageError(f"{repo}: {reason(error)}. Names are owner/name.") from error
    except Exception as error:  # whatever its HTTP client raises
        raise LeukoscopeError(
            f"{folder} could not be sent to {repo} on the Hugging Face Hub: {_said(error)}"
        ) from error
    return str(made)


def _library() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise UsageError(
            "The Hugging Face Hub needs its library, which is not here: pip install "
            "'leukoscope[hub]'."
        ) from error
    return huggingface_hub


def _said(error: Exception) -> str:
    """The first line of what the library says, which goes on for many."""
    first = (reason(error).strip().splitlines() or [""])[0].rstrip(". ")
    return f"{first or type(error).__name__}."
