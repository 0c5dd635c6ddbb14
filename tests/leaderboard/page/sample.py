"""A small report that has one of everything, with names that would break a careless page."""

from leaderboard.page.content import (
    Code,
    EmbeddingMap,
    Facts,
    Links,
    Notes,
    PageCell,
    PageColumn,
    PageTable,
    Picture,
    Point,
    Prose,
    Report,
    Section,
    Sign,
)

NASTY = '</script><!--<script>alert("boo")</script>'
SEEN = Sign("†", "Pretrained on recordings of the test folds.")
ENTRIES = ["moco", "simclr", "byol", "random", "random-fine", "npid", "cpc", "swav", "vicreg"]
FIGURES = [0.81, 0.835, 0.765, None, 0.9, 0.1, 0.0905, 0.7, 1.0]
COLUMNS = [
    PageColumn("entry", "text"),
    PageColumn("accuracy", group="freeze", help="Mean over folds"),
    PageColumn("minus control", group="freeze"),
    PageColumn("verdict", "text", group="freeze"),
    PageColumn("error", group="knn", lowest_first=True),
    PageColumn("parameters"),
]


def board() -> PageTable:
    """Nine entries; one has no figure, and every second one no verdict."""
    rows = []
    for i, (entry, figure) in enumerate(zip(ENTRIES, FIGURES, strict=True)):
        measured = PageCell("")
        if figure is not None:
            bar = (figure - 0.03, figure, figure + 0.03)
            measured = PageCell(f"{figure:.3f}", figure, bar, 0.8, f"5 folds of {entry}", figure == 1)
        control = PageCell(f"{i - 4:+d}", i - 4, (i - 5, i - 4, i - 3))
        verdict = PageCell("" if i % 2 else f"verdict {i}")
        rows.append(
            [PageCell(entry, signs=(SEEN,)), measured, control, verdict, measured, PageCell(f"{10**i:,}", 10.0**i)],
        )
    return PageTable("board", "esc10", COLUMNS, rows, "Mean over folds.", copy=True)


def clips() -> EmbeddingMap:
    """A cross of clips: one in the middle, and one to each side; the right one is taken for a cat."""
    points = [
        Point(0, 0, "middle", "dog", "dog", "clip.wav"),
        Point(1, 0, "right", "dog", "cat"),
        Point(-1, 0, "left", "cat", "cat", "missing.wav"),
        Point(0, 1, NASTY, "cat", "cat"),
        Point(0, -1, "below", "dog", "dog"),
    ]
    return EmbeddingMap("clips", "Clips of moco", ["dog", "cat"], points, "Both axes have one scale.")


def report() -> Report:
    """The whole page."""
    lines = Picture(
        "lines",
        "Accuracy over epochs",
        '<svg viewBox="0 0 10 10" width="300" height="150"><path d="M0 10L10 0" stroke="currentColor"/></svg>',
        "A rising line",
        "Fold 1.",
    )
    names = [PageColumn("class", "text"), PageColumn("recall")]
    classes = PageTable("classes", "Class by class", names, [[PageCell(NASTY), PageCell("1.0", 1)]], open=False)
    return Report(
        f"Report {NASTY}",
        "What came out",
        [("suite", "methods"), ("entries", str(len(ENTRIES)))],
        [
            Section("boards", "Leaderboards", ["How to read it."], [board(), Notes(["95 % by bootstrap."])]),
            Section("curves", "Curves", [], [lines]),
            Section("maps", "Maps", [], [clips()]),
            Section("details", "Details", ["Class by class."], [classes], open=False),
            Section("again", "Repeat", [], [Prose(["Run it:"]), Code("a < b\n" + "x" * 300, "shell", "Command")]),
            Section(
                "more",
                "More",
                [],
                [Facts([("machine", NASTY)]), Links(NASTY, [("Report", "more.html")])],
                subtitle="It",
            ),
        ],
        "Written by a test.",
        "index.html",
    )
