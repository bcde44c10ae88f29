"""The embedded model is whole, small, loads without a network, prefers JSON; `load` names what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from structgen.errors import ModelLoadError
from structgen.model import (
    EOS_TOKEN,
    PAD_TOKEN,
    PROMPT_TEMPLATE,
    answer_for,
    default_model_path,
    load,
    load_default,
    prompt_for,
)

ROOT = Path(__file__).resolve().parents[1]
SIZE_LIMIT = 10_000_000

TEXTS = [
    "",
    '{"name": "Ada", "age": 36, "tags": ["a", "b"]}',
    " leading and trailing  spaces \t\r\n\n",
    "Zażółć gęślą jaźń, ελληνικά, русский, 日本語, العربية, עברית, हिन्दी",
    "emoji 🙂👩‍👩‍👧‍👦🏳️‍🌈 and a lone combining ́",
    "def f(x):\n\treturn x ** 2  # code\n",
    "".join(map(chr, range(128))),
    "\x00\x01\x7f\x80\xa0\ufeff\U0010ffff",
]


@pytest.fixture(scope="module")
def pair():
    return load_default()


def sample(pair, schema, max_new_tokens=160) -> str:
    model, tokenizer = pair
    given = tokenizer(prompt_for(schema), return_tensors="pt")
    written = model.generate(**given, max_new_tokens=max_new_tokens, do_sample=False)
    return tokenizer.decode(written[0, given["input_ids"].shape[1] :], skip_special_tokens=True)


def test_folder_is_at_most_10_mb_and_whole():
    names = {path.name for path in default_model_path().iterdir()}
    required = {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert required <= names
    assert sum(path.stat().st_size for path in default_model_path().rglob("*")) <= SIZE_LIMIT


def test_import_is_light():
    code = (
        "import sys, structgen.model as m; m.default_model_path();"
        "heavy = {'torch', 'transformers', 'tokenizers', 'numba', 'matplotlib'};"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_loads_fast_and_without_a_network():
    """In a process of its own, with sockets forbidden; the import of transformers is not counted."""
    code = (
        "import socket, time, transformers, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM\n"
        "def refuse(*_, **__): raise AssertionError('network used')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from structgen.model import load_default\n"
        "begin = time.perf_counter(); load_default(); print(time.perf_counter() - begin)\n"
    )
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3.0
    assert done.stderr == "", "loading must not print progress bars or warnings"


def test_model_is_a_float32_causal_lm_with_one_end_token(pair):
    model, tokenizer = pair
    assert {str(weight.dtype) for weight in model.parameters()} == {"torch.float32"}
    assert not model.training
    assert model.config.vocab_size == len(tokenizer) == model.lm_head.weight.shape[0]
    assert 4_000 <= len(tokenizer) <= 16_000
    end = tokenizer.convert_tokens_to_ids(EOS_TOKEN)
    assert tokenizer.eos_token_id == model.config.eos_token_id == model.generation_config.eos_token_id == end
    assert tokenizer.convert_tokens_to_ids(PAD_TOKEN) == tokenizer.pad_token_id == model.config.pad_token_id
    assert tokenizer.padding_side == "left"


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_round_trips(pair, text):
    _, tokenizer = pair
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert tokenizer.eos_token_id not in ids


def test_tokenizer_round_trips_random_text(pair):
    _, tokenizer = pair
    rng = np.random.default_rng(0)
    for size in rng.integers(1, 60, 100):
        points = rng.integers(0, [0x80, 0x800, 0xD800, 0x110000][rng.integers(4)], size)
        text = "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
        assert tokenizer.decode(tokenizer(text)["input_ids"], clean_up_tokenization_spaces=False) == text


def test_tokenizer_can_spell_every_byte():
    """Each of the 256 bytes is a token of its own, so every text of every grammar can be written."""
    content = json.loads((default_model_path() / "tokenizer.json").read_text(encoding="utf-8"))
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    # GPT-2's table: bytes that print stand for themselves, the others for the code points from 256 on
    shifted = [chr(256 + index) for index in range(256 - len(printable))]
    assert set(map(chr, printable)) | set(shifted) <= set(content["model"]["vocab"])
    assert content["model"]["type"] == "BPE"
    assert content["pre_tokenizer"]["type"] == content["decoder"]["type"] == "ByteLevel"


def record(**properties: str) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }


SCHEMAS = [
    record(name="string"),
    record(city="string", population="integer"),
    record(title="string", tags="array"),
    record(id="integer", active="boolean"),
    record(latitude="number", longitude="number"),
    record(name="string", email="string", age="integer"),
    record(price="number", currency="string", description="string"),
    record(status="string", count="integer"),
]


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def test_prefers_json(pair):
    """Every answer begins as an object, and at least 3 of 8 are JSON to the end (6 where it was trained)."""
    answers = [sample(pair, schema) for schema in SCHEMAS]
    assert all(answer.startswith("{") for answer in answers), answers
    assert sum(map(is_json, answers)) >= 3, answers


def test_left_padding_does_not_change_the_answer(pair):
    model, tokenizer = pair
    schemas = [SCHEMAS[0], SCHEMAS[4]]
    prompts = [prompt_for(schema) for schema in schemas]
    given = tokenizer(prompts, return_tensors="pt", padding=True)
    written = model.generate(**given, max_new_tokens=24, do_sample=False)[:, given["input_ids"].shape[1] :]
    together = tokenizer.batch_decode(written, skip_special_tokens=True)
    assert together == [sample(pair, schema, 24) for schema in schemas]


def test_prompt_is_compact_json_and_the_separator():
    assert prompt_for({"type": "string", "const": "é {x}"}) == '{"type":"string","const":"é {x}"}\n\nJSON:\n'
    assert PROMPT_TEMPLATE.format(schema="{}") == prompt_for({})
    assert answer_for({"a": [1, "é"]}) == '{"a": [1, "é"]}'


def test_load_takes_the_name_the_path_and_a_copy(pair, tmp_path):
    import torch

    model, tokenizer = load("default")
    assert next(model.parameters()).dtype == torch.float32
    assert load(default_model_path())[1].get_vocab() == tokenizer.get_vocab()
    shutil.copytree(default_model_path(), tmp_path / "copy")
    copy, _ = load(str(tmp_path / "copy"))
    assert next(copy.parameters()).dtype == torch.float16  # as stored
    same = torch.equal(copy.lm_head.weight.float(), model.lm_head.weight)
    assert same


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def write(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8") and None


def truncate(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size]) and None


def edit(name: str, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(content | changes), encoding="utf-8")

    return change


DAMAGED = {
    "empty folder": (
        remove(
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ),
        "config.json is missing",
    ),
    "no config": (remove("config.json"), "config.json is missing"),
    "config not JSON": (write("config.json", "{"), "config.json is not JSON"),
    "config not UTF-8": (
        lambda folder: (folder / "config.json").write_bytes(b"\xff{}") and None,
        "is not JSON",
    ),
    "config not an object": (write("config.json", "[1]"), "does not hold a JSON object"),
    "no model type": (write("config.json", "{}"), "model_type"),
    "unknown model type": (edit("config.json", model_type="nonesuch"), "nonesuch"),
    "not a causal LM": (write("config.json", '{"model_type": "t5"}'), "T5Config"),
    "no weights": (remove("model.safetensors"), "model.safetensors"),
    "weights cut in the header": (truncate("model.safetensors", 5), "header"),
    "weights cut in the data": (truncate("model.safetensors", 100_000), "the model: SafetensorError"),
    "weights of another shape": (edit("config.json", hidden_size=128), "the model: RuntimeError"),
    "too few weights": (edit("config.json", num_hidden_layers=5), "9 weights are not in its files"),
    "no tokenizer": (remove("tokenizer.json", "tokenizer_config.json"), "the tokenizer: ValueError"),
    "tokenizer not JSON": (truncate("tokenizer.json", 1000), "tokenizer.json is not JSON"),
    "tokenizer without a model": (edit("tokenizer.json", model=None), "the tokenizer: "),
    "tokenizer empty": (write("tokenizer.json", "{}"), "the tokenizer: KeyError"),
}


@pytest.mark.parametrize(("change", "reason"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_folders_are_refused_with_the_reason(tmp_path, change, reason):
    folder = tmp_path / "model"
    shutil.copytree(default_model_path(), folder)
    change(folder)
    with pytest.raises(ModelLoadError) as caught:
        load(folder)
    assert reason in str(caught.value)
    assert caught.value.name == str(folder)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("./no/such/folder", "no such folder"),
        ("/no/such/folder", "no such folder"),
        ("~/no such folder", "no such folder"),
        ("~nonesuch-user/model", "no such folder"),
        ("owner/name/more", "no such folder"),
        ("has space/x", "no such folder"),
        ("", "no such folder"),
        ("owner/", "no such folder"),
        (Path("nonesuch-owner/nonesuch-model"), "no such folder"),
        (Path(__file__), "is a file, not a folder"),
    ],
)
def test_names_that_are_no_model_are_refused_at_once(name, reason):
    begin = time.perf_counter()
    with pytest.raises(ModelLoadError, match=reason):
        load(name)
    assert time.perf_counter() - begin < 1.0  # the hub is not asked


def test_unknown_hub_id_is_refused(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelLoadError, match="nonesuch-model") as caught:
        load("nonesuch-owner/nonesuch-model", revision="main")
    assert "'default'" in caught.value.remedy


def test_missing_package_files_name_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr("structgen.model.default_model_path", lambda: tmp_path / "default")
    with pytest.raises(ModelLoadError, match="install structgen again"):
        load_default()
