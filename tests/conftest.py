"""What all tests share: caches of their own, one thread, the same examples in every run; a tiny model."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from structgen_kernels.jit import code_folder

if TYPE_CHECKING:
    from structgen import Compiler, Vocabulary

# Before torch and tokenizers are imported by anything: two workers on two cores, and no network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

settings.register_profile("structgen", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("structgen")

_CACHE = "STRUCTGEN_CACHE_DIR"
_made: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """A cache folder for this run, which xdist's workers inherit and share: the user's stays as it is.

    Compiled kernels are kept from run to run: they are named by their sources, and take a minute.
    """
    os.environ.setdefault("NUMBA_CACHE_DIR", str(code_folder().parent))
    if _CACHE not in os.environ:
        _made.append(tempfile.mkdtemp(prefix="structgen-tests-"))
        os.environ[_CACHE] = _made[0]


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class TinyModel:
    """A random Llama with a byte-level BPE tokenizer of a few merges. Its logits are wider than its ids."""

    model: Any
    tokenizer: Any
    vocabulary: Vocabulary
    compiler: Compiler
    eos: tuple[int, int]
    width: int


MERGES = ["y e", "ye s", "n o", "Ġ n", "1 2", "12 3", ", Ġ", '" :', "a b", "ab a", "Ã ©"]


@pytest.fixture(scope="session")
def tiny() -> TinyModel:
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from structgen import Compiler, Vocabulary

    torch.set_num_threads(1)
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    backend = Tokenizer(
        models.BPE(
            {piece: i for i, piece in enumerate(pieces)}, [tuple(merge.split(" ")) for merge in MERGES]
        )
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = ["<pad>", "<bos>", "<end>", "<turn>"]
    backend.add_special_tokens([AddedToken(name, special=True) for name in names])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<end>"
    )
    eos = (tokenizer.convert_tokens_to_ids("<end>"), tokenizer.convert_tokens_to_ids("<turn>"))
    width = len(tokenizer) + 29  # no multiple of 32, so that the last word of a mask is cut
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=width,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=256,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=list(eos),
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.5,  # so that the scores differ from one another
        )
    ).eval()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, vocab_size=width, eos_token_ids=eos)
    return TinyModel(model, tokenizer, vocabulary, Compiler(vocabulary), eos, width)
