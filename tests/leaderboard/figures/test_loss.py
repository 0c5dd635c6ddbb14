from leaderboard.figures import loss
from tests.leaderboard.figures.gallery import data_of


def test_each_panel_shows_its_entrys_losses() -> None:
    losses = {"moco": [(1, 5.0), (2, 4.5), (3, 4.0)], "byol": [(1, 0.9), (2, 0.5)]}
    figure = loss.draw(losses)
    assert [axes.get_title() for axes in figure.axes] == ["moco", "byol"]
    for axes, own in zip(figure.axes, losses.values(), strict=True):
        assert data_of(axes.lines[0]) == own


def test_thirty_entries_stand_in_four_columns_with_epochs_under_the_lowest_that_share_them() -> None:
    losses = {f"entry {i}": [(1, 2.0), (2, 1.0 + i)] for i in range(30)}
    losses["entry 24"] = [(1, 2.0), (9, 1.0)]
    figure = loss.draw(losses)
    assert len(figure.axes) == 30
    assert len({round(axes.get_position().x0, 3) for axes in figure.axes}) == 4
    shown = [i for i, axes in enumerate(figure.axes) if axes.xaxis.get_tick_params()["labelbottom"]]
    assert shown == [20, 24, 26, 27, 28, 29]  # 20 stands above 24, whose epochs are others


def test_a_single_epoch_is_seen_as_a_point() -> None:
    figure = loss.draw({"moco": [(1, 5.0)]})
    assert figure.axes[0].lines[0].get_marker() == "o"


def test_words_say_whose_loss_did_not_fall() -> None:
    assert "from 5 to 4" in loss.alt({"moco": [(1, 5.0), (2, 4.0)]})
    words = loss.alt({"moco": [(1, 5.0), (2, 4.0)], "stuck": [(1, 5.0), (2, 5.5)]})
    assert "2 entries" in words
    assert "not for stuck" in words
