"""YAML with places, and overrides."""

import pytest

from benchmark.document import merge, parse_document
from registry.errors import Mistake

TEXT = """\
encoder: {name: esresnet, depth: 50}
frontend: logmel
entries:
  a: {weights: random}
list: [1, 2, 3]
scales:
  cpu:
    encoder: {depth: 18}
    frontend: {n_mels: 32}
    list: [4]
    entries: {b: {weights: imagenet}}
  other: {encoder: {name: cnn10, width: 8}}
"""


def test_every_value_knows_its_line_and_column() -> None:
    document = parse_document(TEXT, "suite.yaml")
    assert document.place(("encoder", "depth")) == "suite.yaml:1:27"
    assert document.place(("entries", "a", "weights")) == "suite.yaml:4:7"
    assert document.place(("list", 1)) == "suite.yaml:5:11"
    assert document.place(("entries", "a", "nothing", "here")) == "suite.yaml:4:3"


def test_an_override_merges_mappings_and_references_and_replaces_the_rest() -> None:
    document = parse_document(TEXT, "suite.yaml")
    merged = merge(document, document.moved(("scales", "cpu"), ()))
    assert merged.data["encoder"] == {"name": "esresnet", "depth": 18}
    assert merged.data["frontend"] == {"name": "logmel", "n_mels": 32}
    assert merged.data["list"] == [4]
    assert merged.data["entries"] == {"a": {"weights": "random"}, "b": {"weights": "imagenet"}}
    assert merged.place(("encoder", "depth")) == "suite.yaml:8:15"
    assert merged.place(("encoder", "name")) == "suite.yaml:1:11"
    assert merged.place(("list", 0)) == "suite.yaml:10:12"
    assert document.data["encoder"]["depth"] == 50


def test_a_reference_with_another_name_is_replaced_whole() -> None:
    document = parse_document(TEXT, "suite.yaml")
    merged = merge(document, document.moved(("scales", "other"), ()))
    assert merged.data["encoder"] == {"name": "cnn10", "width": 8}


def test_weights_of_another_kind_replace_and_of_the_same_kind_merge() -> None:
    text = """\
pretrain: {epochs: 3}
entries: {a: {weights: imagenet}, b: {weights: {pretrain: moco, epochs: 5}}, c: {weights: {pretrain: moco}}}
over:
  pretrain: {epochs: 4}
  entries: {a: {weights: {imagenet: file}}, b: {weights: {pretrain: {dim: 8}}}, c: {weights: {checkpoint: file}}}
"""
    document = parse_document(text, "suite.yaml")
    merged = merge(document, document.moved(("over",), ())).data
    assert merged["pretrain"] == {"epochs": 4}
    assert [e["weights"] for e in merged["entries"].values()] == [
        {"imagenet": "file"},
        {"pretrain": {"name": "moco", "dim": 8}, "epochs": 5},
        {"checkpoint": "file"},
    ]


def test_what_is_no_yaml_says_where() -> None:
    with pytest.raises(Mistake) as caught:
        parse_document("a: [1, 2\nb: 3\n", "suite.yaml")
    assert caught.value.where == "suite.yaml:2:2"
    with pytest.raises(Mistake, match="'a' stands here twice") as caught:
        parse_document("a: 1\nb: 2\na: 3\n", "suite.yaml")
    assert caught.value.where == "suite.yaml:3:1"
