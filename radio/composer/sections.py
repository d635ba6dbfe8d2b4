"""What a model's card tells of its evaluation: each function takes figures as JSON and gives Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radio.composer.evaluate import DEALT, KINDS
from radio.composer.plots import PAGE

OURS = "ours"
"""Our own model among the baselines."""


def bits(figures: dict[str, Any]) -> str:
    lines = [
        "All that has to be said (notes, bar lines, the end), divided by the number of notes. *None*: no prefix. "
        "*Wrong*: style, composer and form of a piece of another style; each of the other styles is dealt to at least "
        f"{DEALT} of the pieces, or to all where there are fewer. The split is by work, never by file; "
        "training looks at a few of these works to see which styles it is learning by heart.",
        "",
    ]
    rows = {}
    for style, own in figures.items():
        best = min(own["bits"].values())
        told = {kind: f"**{value:.3f}**" if value == best else f"{value:.3f}" for kind, value in own["bits"].items()}
        shown = (told.get(kind, "–") for kind in KINDS)
        rows[style] = [str(own["works"]), str(own["pieces"]), f"{own['notes']:,}", *shown]
    return "\n".join((*lines, _table(("style", "works", "pieces", "notes", *KINDS), rows)))


def apart(told: dict[str, Any]) -> str:
    first, second = told["channels"]
    return (
        f"A logistic regression fitted on windows of the corpus, blind to timbre, names the channel of "
        f"{told['right']} of "
        f"{told['pieces']} composed pieces of `{first}` and `{second}` ({told['right'] / told['pieces']:.2f}); of real "
        f"works kept back it names {told['real']:.2f} of the windows. {told['ended']} of {told['pieces']} pieces "
        "end with their planned last bar; the guard brought the others to their end earlier."
    )


def panel(figures: dict[str, Any]) -> str:
    """The evaluation kit's main figures, by channel."""
    told = figures["fidelity"]
    rows = {}
    for group, own in figures["groups"].items():
        compared, longest = own["against"], own["memory"]["longest"]
        rows[group] = [
            str(own["pieces"]),
            _shown(told["groups"].get(group, {}).get("fidelity")) if told else "–",
            _auc(own),
            _floor(own),
            _shown(compared["ratio"]) if compared else "–",
            *(_shown(own["figures"][name][side]) for name in ("recurrence", "loops") for side in SIDES),
            *(_shown(longest[side], 0) for side in SIDES),
        ]
    more = {group: [_pair(own["figures"].get(name)) for name in _MORE] for group, own in figures["groups"].items()}
    mean = f"Style fidelity, mean over channels: {_shown(told['mean']['fidelity'])}." if told else ""
    parts = (
        _PANEL, _table(("channel", *_COLUMNS), rows), mean, _MORE_TEXT, _table(("channel", *_MORE), more),
        f"![Composed music beside human works]({PAGE})",
    )  # fmt: skip
    return "\n\n".join(part for part in parts if part)


SIDES = ("generated", "human")
_COLUMNS = (
    "pieces", "fidelity", "AUC", "AUC, human", "Fréchet", "recurrence", "human", "loops", "human", "longest run",
    "human",
)  # fmt: skip
_PANEL = """*Fidelity*: how often a classifier fitted on human works names the style of composed pieces, over how
often it does of human works it was not fitted on. The other figures are beside human works of the style that the
channel might have planned. *AUC*: how well a classifier tells composed windows from those of
works kept back (0.5: not at all), and two sides of human works from each other. *Fréchet*: distance to works kept
back, over that of training works. *Recurrence*: bars that resemble one at least two bars earlier. *Loops*: bars that
copy the bar before. *Longest run*: notes in a row shared with a work of the corpus, transposed or not, 95th
percentile; of human works, with the works of others. Intervals of 95 %, over pieces and works. A dash: too few works
for the figure."""
_MORE = (
    "adherence", "returns", "cadences", "closed", "tonic at the end", "in scale", "dissonance", "velocity spread",
    "velocity levels", "rise",
)  # fmt: skip
_MORE_TEXT = """Of form, harmony and dynamics, in brackets the human works'. *Adherence*: bars that resemble the one
that their bar line names. *Returns*: planned returns of a section that resemble its first statement. *Cadences*:
section ends with one. *Closed*: pieces that end with one. *Rise*: semitones by which the mean pitch is higher in
the last quarter than in the first. All as composed, before the performer plays it."""


def attack(figures: dict[str, Any]) -> str:
    """How much of training works followed their openings, by style."""
    rows = {}
    for style, own in figures["guarded"].items():
        bare = figures["unguarded"][style]
        rows[style] = [
            str(own["works"]), _shown(own["share"]), _shown(bare["share"]), f"{own['chance']:.2f}",
            str(own["in_a_row"]), str(bare["in_a_row"]),
        ]  # fmt: skip
    columns = ("style", "works", "share", "unguarded", "chance", "in a row", "unguarded")
    return _ATTACK + "\n\n" + _table(columns, rows)


_ATTACK = """The composer was given the first bars of works that it was trained on, 16 notes of the highest voice or a
little more, with the work's own prefix. *Share*: how many of the next 64 notes of that voice are the work's, each in
its place, by interval and time. *Chance*: the same for other works of the style. *In a row*: the most that followed
at once."""


def swaps(figures: dict[str, float]) -> str:
    """What the tag of the style does."""
    return (
        "Openings of works kept back were played on from one seed, as their own style and as another. The right tag "
        f"made its style likelier by {_shown(figures)}, by the same classifier (1: it decides all, 0: it is not heard)."
    )


def baselines(figures: dict[str, Any]) -> str:
    """Our model beside the baselines, by style: bits a note, and how well composed music is told from human works."""
    told, music = figures["bits"], figures["music"]
    order = (OURS, *sorted({*told, *music} - {OURS}))
    parts = []
    for part, text in _PARTS.items():
        names = [name for name in order if part in told.get(name, {})]
        if names:
            styles = told[names[0]][part]["styles"]
            rows = {style: [_least(told[name][part]["styles"].get(style)) for name in names] for style in styles}
            rows["mean"] = [_least({"bits": told[name][part]["mean"]}) for name in names]
            parts.append(text + "\n\n" + _table(("style", *names), rows))
    names = [name for name in order if name in music]
    rows = {}
    for style in sorted({style for own in music.values() for style in own["groups"]}):
        groups = [music[name]["groups"].get(style) for name in names]
        rows[style] = [*map(_auc, groups), _floor(next((own for own in groups if own and own["against"]), {}))]
    if rows:
        parts += [_AUCS, _table(("style", *names, "human"), rows)]
    return "\n\n".join(parts)


def ablations(figures: dict[str, Any]) -> str:
    """What parts of the composer are worth."""
    variants = figures["variants"]
    whole = next(iter(variants.values()))
    names = [name for name in whole if not name.endswith(_HUMAN)]
    rows = {label: [_number(own[name]) for name in names] for label, own in variants.items()}
    rows["human works"] = [_number(whole.get(name + _HUMAN)) for name in names]
    about = (
        f"One part at a time changed or left out: means over {figures['pieces']} pieces of each of "
        f"{len(figures['channels'])} channels ({', '.join(figures['channels'])})."
    )
    return about + "\n\n" + _table(("composed", *names), rows)


_HUMAN = ", human"


def endurance(figures: dict[str, Any]) -> str:
    """Hours of every channel: collapses, drift, and whether the style lasts."""
    fidelity = figures.get("fidelity", {})
    rows = {}
    for channel, own in figures["channels"].items():
        told = [fidelity[minute]["groups"].get(channel, {}).get("fidelity") for minute in fidelity]
        drifted = ", ".join(own["drifted"]) or "nothing"
        rows[channel] = [
            f"{own['hours']:.1f}",
            str(own["pieces"]),
            _events(own["collapses"]),
            drifted,
            *map(_shown, told),
        ]
    if fidelity:
        mean = [_shown(told["mean"]["fidelity"]) for told in fidelity.values()]
        rows["mean"] = ["", "", "", "", *mean]
    columns = ("channel", "hours", "pieces", "collapses", "drifted", *(f"fidelity, minute {m}" for m in fidelity))
    return _ENDURANCE + "\n\n" + _table(columns, rows)


def unguarded(figures: dict[str, Any]) -> str:
    """The same without the guard, in a line a channel that collapsed or drifted."""
    rows = {
        channel: [f"{own['hours']:.1f}", _events(own["collapses"]), ", ".join(own["drifted"]) or "nothing"]
        for channel, own in figures["channels"].items()
    }
    return _table(("channel", "hours", "collapses", "drifted"), rows)


_ENDURANCE = """Each channel composed off the air, in several streams at once. *Collapses*: loops, silence, held notes,
flat dynamics, or a density or an entropy that human works of the style do not have for so long. *Drifted*: features
that moved away from those of the first half hour. *Fidelity*: as above, of an excerpt of each stream from that minute
on."""


def _events(collapses: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in collapses.items()) or "none"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


_PARTS = {
    "whole": "Bits a note of all that has to be said of a piece, with its own prefix where a system knows one:",
    "roll": "Bits a note of onsets, pitches and durations alone, of pieces of one program brought to sixteenths, which "
    "is all that the biaxial network can say:",
}
_AUCS = """How well a classifier tells what was composed from works kept back (0.5: not at all), and human works from
each other:"""
MEASURED = (
    ("panel", "Composed music beside human works", panel),
    ("tag_swap", "The tag swapped", swaps),
    ("attack", "Openings of training works as prompts", attack),
    ("baselines", "Beside five other systems", baselines),
    ("ablations", "What its parts are worth", ablations),
    ("endurance", "Hours of it", endurance),
    ("unguarded", "Hours of it without the guard", unguarded),
)
"""What is told only of a full evaluation: its key, its heading, and how."""


def _table(columns: Sequence[str], rows: dict[str, list[str]]) -> str:
    """Markdown, the first column of `columns` being the rows' names."""
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    return "\n".join((*lines, *("| " + " | ".join((name, *cells)) + " |" for name, cells in rows.items())))


def _shown(interval: dict[str, float] | None, digits: int = 2) -> str:
    if interval is None:
        return "–"
    value, low, high = (f"{interval[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _pair(beside: dict[str, Any] | None) -> str:
    """A figure of composed music, and in brackets that of human works; a dash where it was not measured yet."""
    if beside is None:
        return "–"
    composed, human = (f"{own['value']:.2f}" if own else "–" for own in (beside[side] for side in SIDES))
    return f"{composed} ({human})"


def _least(figures: dict[str, Any] | None) -> str:
    """With the right prefix, or without where a system knows none."""
    return "–" if figures is None else f"{figures['bits'].get('right', figures['bits']['none']):.2f}"


def _auc(group: dict[str, Any] | None) -> str:
    return _shown(group["against"]["generated"]["told"]["auc"]) if group and group["against"] else "–"


def _floor(group: dict[str, Any]) -> str:
    if not group.get("against"):
        return "–"
    floor = group["against"]["floor"]["auc"]
    return f"{floor['mean']:.2f} ± {floor['sd']:.2f}"
