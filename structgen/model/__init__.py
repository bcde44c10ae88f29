"""The embedded language model, and loading of any other.

structgen ships a small causal LM (4 million parameters, own byte-level BPE) that was trained to answer a JSON
Schema with an instance of it (``bench/structgen_bench/train_model.py``, docs/model.md). It is there for demos
and tests: it needs no network and loads in a moment. torch and transformers are imported only when a model is
loaded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from structgen.errors import ModelLoadError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "DEFAULT_MODEL_NAME",
    "EOS_TOKEN",
    "PAD_TOKEN",
    "PROMPT_TEMPLATE",
    "answer_for",
    "default_model_path",
    "load",
    "load_default",
    "prompt_for",
]

DEFAULT_MODEL_NAME: Final = "default"
EOS_TOKEN: Final = "<|end|>"
PAD_TOKEN: Final = "<|pad|>"

# What the embedded model was trained on: the schema as compact JSON, then this separator, then the instance.
PROMPT_TEMPLATE: Final = "{schema}\n\nJSON:\n"

# Names that the Hugging Face hub can hold: "name" or "owner/name".
_HUB_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?")

_OTHER_MODEL: Final = f"name another model, or {DEFAULT_MODEL_NAME!r} for the embedded one"


def prompt_for(schema: Any) -> str:
    """The prompt that asks the embedded model for an instance of ``schema`` (a JSON value)."""
    return PROMPT_TEMPLATE.format(schema=json.dumps(schema, ensure_ascii=False, separators=(",", ":")))


def answer_for(data: Any) -> str:
    """An instance as the embedded model was trained to write it: ``json.dumps``'s default separators."""
    return json.dumps(data, ensure_ascii=False)


def default_model_path() -> Path:
    """The folder of the embedded model, inside the installed package."""
    return Path(__file__).resolve().parent / DEFAULT_MODEL_NAME


def load_default() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The embedded model and its tokenizer, on the CPU, in float32; no network is used.

    The weights are stored in float16 and widened: a CPU computes float32 faster, and sums keep their digits.
    Raises `ModelLoadError` when the package's files are missing or damaged.
    """
    import torch

    return _load_folder(default_model_path(), DEFAULT_MODEL_NAME, torch.float32)


def load(
    name_or_path: str | Path, *, revision: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model and its tokenizer.

    ``name_or_path``: ``"default"`` (the embedded model), a local folder in Hugging Face format, or a model id
    of the Hugging Face hub (``revision``: branch, tag or commit there). An existing folder goes before a hub
    id of the same name. Weights keep the dtype that they are stored in, and stay on the CPU; a model that
    needs code from its repository is refused.

    Raises `ModelLoadError` when there is no such model, when it is no causal LM, or when a file is missing,
    damaged or does not fit the others.
    """
    name = str(name_or_path)
    path = Path(os.path.expanduser(name))  # not Path.expanduser: it raises for an unknown ~user
    if not name:  # Path("") is the working folder
        raise ModelLoadError(name, "no such folder: the name is empty", _OTHER_MODEL)
    if name == DEFAULT_MODEL_NAME or (path.is_dir() and path.resolve() == default_model_path()):
        return load_default()
    if path.is_dir():
        return _load_folder(path, name, "auto")
    if path.exists():
        raise ModelLoadError(name, "is a file, not a folder", "give the folder that holds config.json")
    if isinstance(name_or_path, Path) or not _HUB_ID.fullmatch(name):
        raise ModelLoadError(
            name, "no such folder, and not a model id of the Hugging Face hub (owner/name)", _OTHER_MODEL
        )
    return _load(name, name, "auto", revision=revision, local=False)


def _load_folder(path: Path, name: str, dtype: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Loads a folder whose files are looked at first, so that the commonest faults are named plainly."""
    if not path.is_dir():
        raise ModelLoadError(name, f"{path} is missing", "install structgen again")
    _check_json_object(path / "config.json", name, required=True)
    _check_json_object(path / "tokenizer.json", name, required=False)
    _check_json_object(path / "tokenizer_config.json", name, required=False)
    return _load(str(path), name, dtype, revision=None, local=True)


def _check_json_object(path: Path, name: str, *, required: bool) -> None:
    if not path.is_file():
        if required:
            raise ModelLoadError(name, f"{path} is missing", "give a folder in Hugging Face format")
        return
    try:
        content = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelLoadError(name, f"{path} is not JSON: {error}", "download it again") from error
    if not isinstance(content, dict):
        raise ModelLoadError(name, f"{path} does not hold a JSON object", "download it again")


def _load(
    source: str, name: str, dtype: Any, *, revision: str | None, local: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"revision": revision} if revision is not None else {}
    options |= {"local_files_only": local, "trust_remote_code": False}
    known = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError)
    with _quiet_transformers():
        try:
            # with output_loading_info it returns a pair, which its annotation does not say
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                source, dtype=dtype, output_loading_info=True, **options
            )
        except known as error:
            raise ModelLoadError(name, f"the model: {_first_line(error)}", _OTHER_MODEL) from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
        except Exception as error:
            # the Rust tokenizers raise a bare Exception for a damaged file; other classes would be bugs
            if type(error) is not Exception and not isinstance(error, known):
                raise
            raise ModelLoadError(name, f"the tokenizer: {_first_line(error)}", _OTHER_MODEL) from error
    model: PreTrainedModel = loaded[0]
    absent = sorted(loaded[1]["missing_keys"])
    if absent:  # transformers fills these with random numbers and only warns
        raise ModelLoadError(
            name, f"{len(absent)} weights are not in its files, such as {absent[0]}", "download it again"
        )
    model.train(False)
    return model, tokenizer


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and load reports meanwhile: what they say is in the result or in the error."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # not annotated there
    logging.set_verbosity(40)  # ERROR
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # not annotated there
