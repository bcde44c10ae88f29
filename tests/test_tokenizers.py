"""Exact bytes of every token id: proven on real tokenizers, refused where they cannot be told."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from structgen.cache import set_cache_dir
from structgen.errors import OptionError, TokenizerError, VocabularyError
from structgen.tokenizers import eos_ids_of
from structgen.vocabulary import Vocabulary

GPT_NEOX = Path(__file__).resolve().parents[2] / "shared" / "data" / "tokenizers" / "gpt-neox-20b.json"
SPACE_MARK = "▁"

TEXTS = {
    "English": "The quick brown fox's 1,234.5 lazy-dogs!",
    "European": "Grüße aus Köln, señor; čeština, Łódź, İstanbul, ﬁne ligature, Ångström",
    "Greek and Cyrillic": "Ελληνικά: αβγδ — Привет, мир! Ґанок, ёлка",
    "right to left": "שלום עולם، مرحبا بالعالم ‏\u202bکتاب\u202c",
    "Indic and Thai": "नमस्ते दुनिया, தமிழ் மொழி, বাংলা, สวัสดีชาวโลก",
    "CJK": "你好,世界。日本語のテキスト、한국어 문장. 𠀀𠮷𪛖",
    "rare scripts": "ᚠᛇᚻ ⴰⵎⴰⵣⵉⵖ 𐎀𐎁 𒀀 ꧋ ᠮᠣᠩᠭᠣᠯ",
    "emoji": "🎉👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪 ☃︎ ❤️ \U0001fae8",
    "combining marks": "e\u0301 a\u0308\u0323 Z\u0351\u036b\u0343 한 각",
    "Python": "def f(x: int) -> str:\n    return f'{x!r:>10}'  # done\n\tif x:\n\t\tpass\n",
    "JSON": '{"key": [1, -2.5e+10, null, true], "s": "a\\"b\\\\\\u00e9\\n", "": {}}\r\n',
    "other code": "<a href=\"x?y=1&z\">&lt;</a> SELECT * FROM t WHERE a<>'b'; x<<=1; /* ** */ $a->b[0]::c",
    "white space": " a  b   c    d\n\n\ne\r\nf\t\t g \v\f \n \n  \t",
    "leading spaces": "   three",
    "only spaces": "                                                                            ",
    "spaces of Unicode": "a\u00a0b\u2002c\u3000d\u200be\u2028f\u2029g\u0085h\ufeffi",
    "controls": "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "edges of UTF-8": "\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff",
    "like special tokens": "<s> </s> <unk> [INST] <|endoftext|> <0x0A> <0xff> <pad>",
    "byte letters": "ĠĊĉ Ġhello Ā ġ ł Ń",
}


@dataclass(frozen=True)
class Case:
    """A tokenizer to prove: how it encodes, its vocabulary, and what its encoding changes on purpose."""

    encode: Callable[[str], list[int]]
    vocabulary: Vocabulary
    expected: Callable[[str], bytes]


def mistral_file(name: str) -> str:
    mistral_common = pytest.importorskip("mistral_common")
    return str(Path(mistral_common.__file__).parent / "data" / name)


def mistral_tokenizer(name: str) -> Any:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    return MistralTokenizer.from_file(mistral_file(name))


def plain(text: str) -> bytes:
    return text.encode()


def with_dummy_prefix(text: str) -> bytes:
    """SentencePiece's encoding begins with one space of its own, and takes its mark for a space."""
    return (" " + text.replace(SPACE_MARK, " ")).encode() if text else b""


@cache
def case(name: str) -> Case:
    if name == "gpt-neox-20b.json":
        if not GPT_NEOX.parents[2].exists():
            pytest.skip("no shared data here")
        tokenizer = Tokenizer.from_file(str(GPT_NEOX))
        vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=0)
        return Case(
            lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
            vocabulary,
            lambda text: unicodedata.normalize("NFC", text).encode(),
        )
    wrapped = mistral_tokenizer(name)
    inner = wrapped.instruct_tokenizer.tokenizer
    return Case(
        lambda text: inner.encode(text, bos=False, eos=False),
        Vocabulary.from_tokenizer(wrapped),
        plain if name.startswith("tekken") else with_dummy_prefix,
    )


NAMES = [
    "gpt-neox-20b.json",
    "tekken_240911.json",
    "tekken_240718.json",
    "tokenizer.model.v1",
    "mistral_instruct_tokenizer_240216.model.v2",
    "mistral_instruct_tokenizer_240323.model.v3",
    "mistral_instruct_tokenizer_241114.model.v7",
    "mistral_instruct_tokenizer_241114.model.v7m1",
]
SIZES = dict(zip(NAMES, [50_277, 131_072, 131_072, 32_000, 32_768, 32_768, 32_768, 32_768], strict=True))


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    set_cache_dir(tmp_path_factory.mktemp("cache"))
    yield
    set_cache_dir(None)


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", NAMES)
def test_joined_bytes_are_the_text(name: str, kind: str) -> None:
    proof = case(name)
    # gpt-neox's file takes "<|endoftext|>" in a text for its control token: there it is no text.
    text = TEXTS[kind].replace("<|endoftext|>", "") if name == "gpt-neox-20b.json" else TEXTS[kind]
    assert proof.vocabulary.decode(proof.encode(text)) == proof.expected(text)


@pytest.mark.parametrize("name", ["gpt-neox-20b.json", "tekken_240911.json", "tokenizer.model.v1"])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_joined_bytes_are_any_text(name: str, text: str) -> None:
    proof = case(name)
    assert proof.vocabulary.decode(proof.encode(text)) == proof.expected(text)


@pytest.mark.parametrize("name", NAMES)
def test_every_id_is_text_or_control(name: str) -> None:
    vocabulary = case(name).vocabulary
    assert vocabulary.size == SIZES[name]
    without = {token_id for token_id, token in enumerate(vocabulary.tokens) if token is None}
    assert without == set(vocabulary.special_tokens.values())
    assert b"" not in vocabulary.tokens
    assert vocabulary.is_byte_complete
    assert all(token.decode() for token in vocabulary.tokens if token and token.isascii())


def test_bytes_of_known_ids() -> None:
    tekken = case("tekken_240911.json").vocabulary
    assert [tekken.token_bytes(1000 + byte) for byte in range(256)] == [bytes([byte]) for byte in range(256)]
    assert tekken.eos_token_ids == (2,) and tekken.special_tokens["[INST]"] == 3
    llama = case("tokenizer.model.v1").vocabulary
    assert [llama.token_bytes(3 + byte) for byte in range(256)] == [bytes([byte]) for byte in range(256)]
    assert dict(llama.special_tokens) == {"<unk>": 0, "<s>": 1, "</s>": 2}
    neox = case("gpt-neox-20b.json").vocabulary
    assert dict(neox.special_tokens) == {"<|endoftext|>": 0, "<|padding|>": 1}
    assert neox.token_bytes(50_254) == b" " * 24  # an added token that is text
    # Two ids may have the same bytes: a character in one piece, and a byte piece.
    assert llama.tokens.count(b"0") == 2 and llama.tokenize_bytes(b"0") == [3 + 0x30]


def test_the_same_vocabulary_by_every_way_in() -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    wrapped = mistral_tokenizer("tokenizer.model.v1")
    processor = sentencepiece.SentencePieceProcessor(model_file=mistral_file("tokenizer.model.v1"))
    expected = case("tokenizer.model.v1").vocabulary
    for tokenizer in (wrapped.instruct_tokenizer, wrapped.instruct_tokenizer.tokenizer, processor):
        vocabulary = Vocabulary.from_tokenizer(tokenizer)
        assert vocabulary == expected and vocabulary.special_tokens == expected.special_tokens


def test_slow_sentencepiece_tokenizer_of_transformers() -> None:
    pytest.importorskip("sentencepiece")
    backend = pytest.importorskip("transformers.tokenization_utils_sentencepiece").SentencePieceBackend
    tokenizer = backend(
        vocab_file=mistral_file("tokenizer.model.v1"), unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    assert Vocabulary.from_tokenizer(tokenizer) == case("tokenizer.model.v1").vocabulary
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("<|im_end|>", special=True)])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[32_000:] == (b"<think>", None)
    assert vocabulary.special_tokens["<|im_end|>"] == 32_001
    tokenizer.convert_ids_to_tokens = lambda token_id: f"moved{token_id}"
    with pytest.raises(TokenizerError, match=r"renumbers its SentencePiece model \(id 3\)"):
        Vocabulary.from_tokenizer(tokenizer)


# tokenizers made here ---------------------------------------------------------------------------------


def metaspace_tokenizer(model: str = "BPE", decoder: str = "Sequence") -> Tokenizer:
    """As Llama's, Mistral's and Gemma's files are: metaspace and byte fallback, in miniature."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [SPACE_MARK, "a", "b", "é", SPACE_MARK * 2, SPACE_MARK + "a", "ab", SPACE_MARK + "ab"]
    if model == "BPE":
        merges = [
            (SPACE_MARK, SPACE_MARK),
            (SPACE_MARK, "a"),
            ("a", "b"),
            (SPACE_MARK, "ab"),
            (SPACE_MARK + "a", "b"),
        ]
        vocab = {piece: token_id for token_id, piece in enumerate(pieces)}
        tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    else:
        scored = [(piece, -float(len(pieces) - len(piece))) for piece in pieces]
        tokenizer = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE_MARK), normalizers.Replace(" ", SPACE_MARK)]
    )
    if decoder == "Sequence":
        tokenizer.decoder = decoders.Sequence(
            [
                decoders.Replace(SPACE_MARK, " "),
                decoders.ByteFallback(),
                decoders.Fuse(),
                decoders.Strip(" ", 1, 0),
            ]
        )
    else:
        tokenizer.decoder = decoders.Sequence(
            [decoders.Metaspace(prepend_scheme="first"), decoders.ByteFallback(), decoders.Fuse()]
        )
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


@pytest.mark.parametrize("decoder", ["Sequence", "Metaspace"])
@pytest.mark.parametrize("model", ["BPE", "Unigram"])
@pytest.mark.parametrize("kind", TEXTS)
def test_metaspace_with_byte_fallback(model: str, decoder: str, kind: str) -> None:
    tokenizer = metaspace_tokenizer(model, decoder)
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=2)
    text = TEXTS[kind].replace("<s>", "").replace("</s>", "")
    if model == "Unigram":  # the library's encoding takes the names of its pieces in a text for the pieces
        text = text.replace("<unk>", "").replace("<0x", "")
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert vocabulary.decode(ids) == with_dummy_prefix(text)
    if decoder == "Sequence":
        assert tokenizer.decode(ids).encode() == vocabulary.decode(ids)[1:]


def test_metaspace_pieces() -> None:
    vocabulary = Vocabulary.from_tokenizer(metaspace_tokenizer(), eos_token_ids=2)
    assert vocabulary.tokens[:3] == (None, None, None)
    assert dict(vocabulary.special_tokens) == {"<unk>": 0, "<s>": 1, "</s>": 2}
    assert vocabulary.tokens[3 + 0x0A] == b"\n"
    assert vocabulary.tokens[3 + 0xE2] == b"\xe2"
    assert vocabulary.tokens[259:] == (b" ", b"a", b"b", "é".encode(), b"  ", b" a", b"ab", b" ab")
    # A text's own "▁" can only be spelled by byte pieces.
    assert all(SPACE_MARK.encode() not in (token or b"") for token in vocabulary.tokens)
    mark = vocabulary.tokenize_bytes(SPACE_MARK.encode())
    assert mark == [3 + 0xE2, 3 + 0x96, 3 + 0x81]
    assert metaspace_tokenizer().decode([260, *mark]) == "a" + SPACE_MARK


def test_added_tokens_of_metaspace() -> None:
    """Gemma's file lists runs of spaces as added tokens: they are pieces like others."""
    tokenizer = metaspace_tokenizer()
    tokenizer.add_tokens(
        [AddedToken(content, normalized=False) for content in (SPACE_MARK * 2, "\n\n", "<think>")]
    )
    tokenizer.add_special_tokens(["<|im_end|>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=2)
    assert vocabulary.tokens[263] == b"  "
    assert vocabulary.tokens[267:] == (b"\n\n", b"<think>", None)
    assert vocabulary.special_tokens["<|im_end|>"] == 269


def test_added_tokens_that_are_normalized() -> None:
    """The library matches these after the normalizer, which prepends a space here, and decodes them so."""
    tokenizer = metaspace_tokenizer()
    tokenizer.add_tokens([AddedToken("<tool>", normalized=True)])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=2)
    assert tokenizer.decode([260, 267]).encode() == b"a" + (vocabulary.token_bytes(267) or b"")
    text = "a <tool> b<tool>"
    assert vocabulary.decode(tokenizer.encode(text, add_special_tokens=False).ids) == b" " + text.encode()

    lower = byte_level_tokenizer()
    lower.normalizer = normalizers.Lowercase()
    lower.add_tokens([AddedToken("<Tool>", normalized=True), AddedToken("<Raw>", normalized=False)])
    vocabulary = Vocabulary.from_tokenizer(lower, eos_token_ids=0)
    assert vocabulary.tokens[259:] == (b"<tool>", b"<Raw>")


def byte_level_tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: token_id for token_id, letter in enumerate(letters)}
    vocab |= {"ĠĠ": 256, "ab": 257, "": 258}
    tokenizer = Tokenizer(models.BPE(vocab, [("Ġ", "Ġ"), ("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.mark.parametrize("kind", TEXTS)
def test_byte_level(kind: str) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens(["<eos>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=tokenizer.token_to_id("<eos>"))
    ids = tokenizer.encode(TEXTS[kind]).ids
    assert vocabulary.decode(ids) == TEXTS[kind].encode()
    assert sorted(token for token in vocabulary.tokens if token and len(token) == 1) == [
        bytes([byte]) for byte in range(256)
    ]
    assert vocabulary.tokens[256:259] == (b"  ", b"ab", b"")


def test_added_tokens_of_byte_level() -> None:
    tokenizer = byte_level_tokenizer()
    # "é" and "Ġ" are letters of the byte alphabet too; what is added stands for itself, also so.
    tokenizer.add_tokens([AddedToken("<é>"), AddedToken("xĠ"), AddedToken("  \n"), AddedToken("日")])
    tokenizer.add_tokens([AddedToken("ab")])  # a piece before: it keeps its bytes
    tokenizer.add_special_tokens(["<eos>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos_token_ids=tokenizer.token_to_id("<eos>"))
    assert vocabulary.tokens[257] == b"ab"
    assert vocabulary.tokens[259:] == ("<é>".encode(), "xĠ".encode(), b"  \n", "日".encode(), None)
    text = "ab<é>xĠ  \n日é"
    assert vocabulary.decode(tokenizer.encode(text).ids) == text.encode()


def test_vocabulary_with_gaps_and_padding() -> None:
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 5}, []))
    tokenizer.decoder = decoders.ByteLevel()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, vocab_size=64, eos_token_ids=[7, 5])
    assert vocabulary.tokens == (b"a",) + (None,) * 63
    assert vocabulary.eos_token_ids == (5, 7)
    assert Vocabulary.from_tokenizer(tokenizer, 6, 5).size == 6


@pytest.mark.parametrize("vocab_size", [5, 0, -1, True, "6", 6.0])
def test_width_of_the_logits(vocab_size: Any) -> None:
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 5}, []))
    tokenizer.decoder = decoders.ByteLevel()
    with pytest.raises(OptionError) as caught:
        Vocabulary.from_tokenizer(tokenizer, vocab_size, 5)
    assert caught.value.option == "vocab_size" and caught.value.given == vocab_size


# transformers -----------------------------------------------------------------------------------------


def fast_tokenizer(**special: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level_tokenizer(), **special)


def test_fast_tokenizer_of_transformers() -> None:
    tokenizer = fast_tokenizer(eos_token="<eos>", pad_token="<pad>", additional_special_tokens=["<tool>"])
    tokenizer.add_tokens(["<think>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, vocab_size=320, eos_token_ids=[300])
    named = {name: tokenizer.convert_tokens_to_ids(name) for name in ("<eos>", "<pad>", "<tool>")}
    assert dict(vocabulary.special_tokens) == named
    assert vocabulary.eos_token_ids == (named["<eos>"], 300)
    assert all(vocabulary.tokens[token_id] is None for token_id in named.values())
    assert vocabulary.token_bytes(tokenizer.convert_tokens_to_ids("<think>")) == b"<think>"
    assert vocabulary.size == 320
    text = TEXTS["emoji"] + "<think>"
    assert vocabulary.decode(tokenizer(text)["input_ids"]) == text.encode()


def test_special_token_that_was_text() -> None:
    """A model that pads with "!" cannot write one: decoding leaves it out."""
    vocabulary = Vocabulary.from_tokenizer(fast_tokenizer(eos_token="<eos>", pad_token="!"))
    assert vocabulary.token_bytes(vocabulary.special_tokens["!"]) is None
    assert not vocabulary.alphabet[ord("!")]


def test_tokenizer_of_a_processor() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.processing_utils import ProcessorMixin

    assert transformers is not None
    processor = ProcessorMixin.__new__(ProcessorMixin)
    processor.tokenizer = fast_tokenizer(eos_token="<eos>")
    assert Vocabulary.from_tokenizer(processor) == Vocabulary.from_tokenizer(processor.tokenizer)


def test_mistral_backend_of_transformers() -> None:
    module = pytest.importorskip("transformers.tokenization_mistral_common")
    tokenizer = module.MistralCommonBackend(tokenizer_path=mistral_file("tekken_240911.json"))
    assert Vocabulary.from_tokenizer(tokenizer) == case("tekken_240911.json").vocabulary


def test_eos_ids_of_a_model() -> None:
    model = SimpleNamespace(
        generation_config=SimpleNamespace(eos_token_id=[7, 5]),
        config=SimpleNamespace(eos_token_id=None, get_text_config=lambda: SimpleNamespace(eos_token_id=9)),
    )
    assert eos_ids_of(model, SimpleNamespace(eos_token_id=3)) == [3, 5, 7, 9]
    assert eos_ids_of(SimpleNamespace(config=SimpleNamespace(eos_token_id=1))) == [1]
    assert eos_ids_of(SimpleNamespace(), SimpleNamespace(eos_token_id=None)) == []


def test_eos_ids_of_a_real_configuration() -> None:
    transformers = pytest.importorskip("transformers")
    model = SimpleNamespace(
        config=transformers.GPT2Config(eos_token_id=4),
        generation_config=transformers.GenerationConfig(eos_token_id=[4, 6]),
    )
    assert eos_ids_of(model, fast_tokenizer(eos_token="<eos>")) == [4, 6, 259]


# tiktoken ---------------------------------------------------------------------------------------------


def tiktoken_encoding(special: dict[str, int]) -> Any:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {b"ab": 256, b"  ": 257, b" a": 258, "é".encode(): 259, b"\xf0\x9f": 260}
    return tiktoken.Encoding("tiny", pat_str=r"(?s).+", mergeable_ranks=ranks, special_tokens=special)


@pytest.mark.parametrize("kind", TEXTS)
def test_tiktoken(kind: str) -> None:
    encoding = tiktoken_encoding({"<|endoftext|>": 270, "<|other|>": 265})
    vocabulary = Vocabulary.from_tokenizer(encoding, vocab_size=288)
    assert vocabulary.decode(encoding.encode_ordinary(TEXTS[kind])) == TEXTS[kind].encode()
    assert vocabulary.eos_token_ids == (270,)
    assert dict(vocabulary.special_tokens) == {"<|other|>": 265, "<|endoftext|>": 270}
    assert vocabulary.tokens[261:] == (None,) * 27


# refused ----------------------------------------------------------------------------------------------


def with_decoder(decoder: Any, **options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, SPACE_MARK: 2}, [], **options))
    tokenizer.decoder = decoder
    return tokenizer


def without_decoder() -> Tokenizer:
    tokenizer = byte_level_tokenizer()
    tokenizer.decoder = None
    return tokenizer


class PythonDecoder:
    def decode_chain(self, tokens: list[str]) -> list[str]:
        return tokens


FUSE = decoders.Fuse()
MARK = decoders.Replace(SPACE_MARK, " ")
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "WordPiece": (
        lambda: Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]")),
        "a WordPiece tokenizer (as of BERT)",
    ),
    "WordPiece decoder": (lambda: with_decoder(decoders.WordPiece()), '"type": "WordPiece"'),
    "BPEDecoder": (lambda: with_decoder(decoders.BPEDecoder()), '"type": "BPEDecoder"'),
    "CTC": (lambda: with_decoder(decoders.CTC()), '"type": "CTC"'),
    "end of word": (lambda: with_decoder(FUSE, end_of_word_suffix="</w>"), "end_of_word_suffix '</w>'"),
    "continued word": (
        lambda: with_decoder(FUSE, continuing_subword_prefix="##"),
        "continuing_subword_prefix '##'",
    ),
    "no decoder": (lambda: with_decoder(None), "set tokenizer.decoder to the one that fits the model"),
    "no decoder, byte level": (without_decoder, "set tokenizer.decoder to decoders.ByteLevel()"),
    "byte fallback never decoded": (
        lambda: with_decoder(decoders.Sequence([MARK, FUSE]), byte_fallback=True),
        "its decoder has no ByteFallback step",
    ),
    "Replace after Fuse": (
        lambda: with_decoder(decoders.Sequence([FUSE, MARK])),
        "it comes after Fuse and may reach over the borders",
    ),
    "Metaspace after ByteFallback": (
        lambda: with_decoder(decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])),
        "it comes after ByteFallback",
    ),
    "Strip of the end": (
        lambda: with_decoder(decoders.Sequence([MARK, FUSE, decoders.Strip(" ", 1, 1)])),
        "it takes away more of the text than the dummy prefix",
    ),
    "Strip of two": (
        lambda: with_decoder(decoders.Sequence([MARK, FUSE, decoders.Strip(" ", 2, 0)])),
        "it takes away more of the text",
    ),
    "pattern": (
        lambda: with_decoder(decoders.Replace(tokenizers.Regex("[▁_]"), " ")),
        "its pattern is a regular expression",
    ),
    "decoder in Python": (
        lambda: with_decoder(decoders.Decoder.custom(PythonDecoder())),
        "cannot be inspected: Custom PyDecoder cannot be serialized",
    ),
    "text": (lambda: "gpt2", "builtins.str: not a tokenizer whose token bytes can be told"),
    "list": (lambda: [b"a"], "give the bytes of each id: Vocabulary(tokens, eos_token_ids)"),
    "None": (lambda: None, "builtins.NoneType: not a tokenizer"),
    "something like one": (
        lambda: SimpleNamespace(get_vocab=dict, eos_token_id=0, backend_tokenizer=byte_level_tokenizer()),
        "types.SimpleNamespace: not a tokenizer",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(TokenizerError) as caught:
        Vocabulary.from_tokenizer(make(), eos_token_ids=0)
    assert message in str(caught.value)
    assert "\n" in str(caught.value)  # a remedy follows


def test_slow_tokenizers_in_python_are_refused() -> None:
    transformers = pytest.importorskip("transformers")

    class Slow(transformers.PreTrainedTokenizer):  # type: ignore[misc, name-defined]
        vocab_size = 1

        def get_vocab(self) -> dict[str, int]:
            return {"a": 0}

    with pytest.raises(TokenizerError, match="use_fast=True"):
        Vocabulary.from_tokenizer(Slow())


@pytest.mark.parametrize(
    "make",
    [byte_level_tokenizer, lambda: tiktoken_encoding({}), lambda: fast_tokenizer(pad_token="<pad>")],
    ids=["tokenizers", "tiktoken", "transformers"],
)
def test_no_eos_id_known(make: Callable[[], Any]) -> None:
    with pytest.raises(TokenizerError, match="no EOS id is known") as caught:
        Vocabulary.from_tokenizer(make())
    assert "eos_token_ids=" in str(caught.value)
    assert Vocabulary.from_tokenizer(make(), eos_token_ids=1).eos_token_ids == (1,)


@pytest.mark.parametrize("eos", [259, -1, "</s>", [1.5], True])
def test_eos_ids_are_checked(eos: Any) -> None:
    with pytest.raises(VocabularyError):
        Vocabulary.from_tokenizer(byte_level_tokenizer(), eos_token_ids=eos)


def test_reading_that_differs_from_decoding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import structgen.tokenizers

    letters = structgen.tokenizers._BYTE_OF_LETTER | {"q": ord("Q")}
    monkeypatch.setattr(structgen.tokenizers, "_BYTE_OF_LETTER", letters)
    with pytest.raises(TokenizerError, match="was read as 'Q', but after '0' it decodes to '0q'"):
        Vocabulary.from_tokenizer(byte_level_tokenizer(), eos_token_ids=0)


def test_importing_imports_no_tokenizer_library() -> None:
    program = (
        "import sys, structgen.vocabulary, structgen.tokenizers\n"
        "heavy = {'tokenizers', 'transformers', 'torch', 'numba', 'tiktoken', 'mistral_common'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
