"""YAML with places, and overrides."""

from pathlib import Path

import pytest

from benchmark.suite.document import merge, parse_document, plugin_files, read_suite, suite_path
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


def test_a_mapping_of_numbers_is_laid_over_the_items_of_a_list() -> None:
    document = parse_document("list: [mix, {name: gain}]\nover: {list: {0: {p: 0.5}}}\nlonger: {list: {2: {}}}", "s")
    merged = merge(document, document.moved(("over",), ()))
    assert merged.data["list"] == [{"name": "mix", "p": 0.5}, {"name": "gain"}]
    assert (merged.place(("list", 0, "p")), merged.place(("list", 1))) == ("s:2:19", "s:1:13")
    assert merge(document, document.moved(("longer",), ())).data["list"] == {2: {}}


BASE = """\
name: base
title: Base
reproduces: lin2022/table-3.1
plugins: [own.py]
crop: 1.0
encoder: cnn10
pretrain: {corpus: esc50, epochs: 5}
entries: {moco: {weights: {pretrain: moco}}, imagenet: {weights: imagenet}}
scales:
  cpu: {title: Base (small), encoder: {width: 4}, entries: {imagenet: {protocols: [knn]}}}
  ci: {crop: 0.5}
"""
CHILD = """\
extends: ../base.yaml
name: child
encoder: {dropout: 0.2}
pretrain: {epochs: 7}
entries: {imagenet: null, npid: {weights: {pretrain: npid}}}
scales: {ci: null}
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A suite that extends another in the folder above."""
    (tmp_path / "below").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "below" / "child.yaml").write_text(CHILD)
    return tmp_path / "below" / "child.yaml"


def test_a_suite_is_laid_over_the_one_it_extends(chain: Path) -> None:
    document, files = read_suite(chain, None)
    assert [file.resolve() for file in files] == [chain, chain.parent.parent / "base.yaml"]
    assert document.data == {
        "extends": "../base.yaml",
        "name": "child",  # and neither title nor published figures of the base
        "plugins": ["own.py"],
        "crop": 1.0,
        "encoder": {"name": "cnn10", "dropout": 0.2},
        "pretrain": {"corpus": "esc50", "epochs": 7},
        "entries": {"moco": {"weights": {"pretrain": "moco"}}, "npid": {"weights": {"pretrain": "npid"}}},
        "scales": {"cpu": {"encoder": {"width": 4}, "entries": {}}},
    }
    base = chain.parent / ".." / "base.yaml"
    assert document.place(("crop",)) == f"{base}:5:1"
    assert document.place(("pretrain", "epochs")) == f"{chain}:4:12"
    assert document.place(("entries", "moco", "weights")) == f"{base}:8:18"
    assert document.place(("tasks",)) == f"{chain}:1:1"  # what neither has is missing in the suite that was asked for
    assert plugin_files(document) == [base.parent / "own.py"]


def test_a_scale_comes_with_what_is_extended_and_lies_on_top(chain: Path) -> None:
    document, _ = read_suite(chain, "cpu")
    assert document.data["encoder"] == {"name": "cnn10", "dropout": 0.2, "width": 4}
    assert list(document.data["entries"]) == ["moco", "npid"]
    assert "title" not in document.data
    with pytest.raises(Mistake, match="no scale 'ci'"):
        read_suite(chain, "ci")
    (chain.parent.parent / "base.yaml").write_text("scales: 3\n")
    chain.write_text("extends: ../base.yaml\nname: child\n")
    with pytest.raises(Mistake, match="no scale 'cpu'"):
        read_suite(chain, "cpu")


def test_chains_go_on_and_circles_do_not(chain: Path) -> None:
    grandchild = chain.parent / "grandchild.yaml"
    grandchild.write_text("extends: child.yaml\nname: grandchild\nentries: {npid: null}\n")
    document, files = read_suite(grandchild, None)
    assert [file.name for file in files] == ["grandchild.yaml", "child.yaml", "base.yaml"]
    assert list(document.data["entries"]) == ["moco"]
    (chain.parent.parent / "base.yaml").write_text(f"{BASE}extends: below/child.yaml\n")
    with pytest.raises(Mistake, match="extends this file in turn") as caught:
        read_suite(grandchild, None)
    assert caught.value.where == f"{chain.parent}/../base.yaml:12:1"


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        (
            "../base.yaml",
            "../bace.yaml",
            "extends no suite file: ../bace.yaml",
            ":1:1",
            "this file; did you mean base.yaml?",
        ),
        ("../base.yaml", "base.yaml", "extends no suite file: base.yaml", ":1:1", "give a path relative to this file"),
        ("../base.yaml", "[a, b]", "extends no suite file", ":1:1", "path"),
        ("name: child\n", "", "has a name of its own", "", "add name"),
    ],
)
def test_mistakes_in_extending_are_told(chain: Path, old: str, new: str, what: str, where: str, fix: str) -> None:
    chain.write_text(CHILD.replace(old, new))
    with pytest.raises(Mistake, match=what.replace("[", r"\[")) as caught:
        read_suite(chain, None)
    assert caught.value.where == f"{chain}{where}"
    assert fix in caught.value.fix


def test_shipped_suites_are_named_with_their_folder_and_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "suites" / "lin2022" / "table-3.1.yaml"
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    monkeypatch.setattr("benchmark.suite.document.SHIPPED", tmp_path / "suites")
    assert suite_path("lin2022/table-3.1") == suite_path(str(shipped)) == shipped
    for near in ("lin2022/table-3.2", "table-3.1", "lni2022/table-3.1", "suites/lin2022/table-3.7.yaml"):
        with pytest.raises(Mistake) as caught:
            suite_path(near)
        assert caught.value.fix.startswith("did you mean lin2022/table-3.1? (")
