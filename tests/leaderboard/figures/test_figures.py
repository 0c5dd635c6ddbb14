from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from leaderboard.figures import COLOURS, INK, looks, save, svg
from registry.errors import Mistake
from tests.leaderboard.figures.gallery import DRAWN, NAMES

SVG = "{http://www.w3.org/2000/svg}"

Draw = Callable[[], Figure]
every_figure = pytest.mark.parametrize("draw", DRAWN)


@pytest.fixture(scope="module")
def written() -> dict[Draw, str]:
    return {draw: svg(draw(), draw.__name__) for draw in DRAWN}


@every_figure
def test_the_same_input_gives_the_same_svg(draw: Draw, written: dict[Draw, str]) -> None:
    figure = draw()
    assert svg(figure, draw.__name__) == written[draw]
    assert svg(figure, draw.__name__) == written[draw]  # nor does writing it change it


@every_figure
def test_ink_is_the_pages_own_and_nothing_is_black_or_lies_behind(draw: Draw, written: dict[Draw, str]) -> None:
    text = written[draw].lower()
    assert "currentcolor" in text
    assert INK not in text
    assert "#000000" not in text
    root = ElementTree.fromstring(written[draw])
    for element in root.iter(f"{SVG}text"):
        assert "fill" in element.get("style", ""), "SVG would draw it black"
    texts = {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}
    assert any(part in text for text in texts for part in NAMES[:1]), "text is kept as text"
    assert not any("mathdefault" in text for text in texts)
    behind = next(e for e in root.iter(f"{SVG}g") if e.get("id", "").endswith("patch_1"))
    assert all("fill: none" in path.get("style", "") for path in behind.iter(f"{SVG}path"))


@every_figure
def test_an_svg_stands_inside_html(draw: Draw, written: dict[Draw, str]) -> None:
    assert written[draw].startswith("<svg")
    root = ElementTree.fromstring(written[draw])
    assert not list(root.iter(f"{SVG}style")), "it would be the page's"
    assert "viewBox" in root.attrib
    assert "height" not in root.attrib
    assert "DejaVu" not in written[draw]


def test_ids_are_unique_on_a_page_and_what_is_referred_to_is_there(written: dict[Draw, str]) -> None:
    page = ElementTree.fromstring(f"<div>{''.join(written.values())}{svg(DRAWN[0](), 'again')}</div>")
    ids = [element.get("id") for element in page.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for element in page.iter():
        for name, value in element.attrib.items():
            if name == "href" and value.startswith("#"):
                assert value[1:] in ids
            if "url(#" in value:
                assert value.split("url(#")[1].split(")")[0] in ids


def test_drawing_leaves_no_state_behind() -> None:
    before = dict(matplotlib.rcParams)
    for draw in DRAWN:
        svg(draw(), "x")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_saved_figure_has_the_same_bytes_twice(tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        save(DRAWN[1](), tmp_path / (name + suffix))
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_saved_png_is_dark_on_white(tmp_path: Path) -> None:
    from matplotlib.image import imread

    save(DRAWN[0](), tmp_path / "figure.png")
    pixels = imread(tmp_path / "figure.png")
    assert pixels[0, 0].tolist() == [1, 1, 1, 1]
    assert pixels[..., :3].min() < 0.02


def test_another_suffix_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"\.gif"):
        save(DRAWN[0](), tmp_path / "figure.gif")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_seven_entries_are_told_apart_without_colour() -> None:
    found = list(looks([f"entry {i}" for i in range(7)], "entry 3").values())
    for one, other in combinations(found, 2):
        assert one.marker != other.marker
        assert one.dash != other.dash
        assert one.colour != other.colour


def test_colours_show_on_white_and_on_dark() -> None:
    for colour in COLOURS:
        assert contrast(colour, "#ffffff") > 2
        assert contrast(colour, "#121212") > 3


def test_the_control_is_drawn_in_ink_and_an_eighth_entry_is_refused() -> None:
    assert looks(["a", "b"], "a")["a"].colour == INK
    assert INK not in {look.colour for look in looks([str(i) for i in range(6)], None).values()}
    with pytest.raises(ValueError, match="7"):
        looks([str(i) for i in range(8)], None)
