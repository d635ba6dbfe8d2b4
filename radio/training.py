"""The commands that make and measure a model: their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from radio.arguments import add_command, positive
from radio.errors import ConfigError


def add_model_commands(commands: Any) -> None:
    """`corpus build`, `train`, `blend` and `evaluate`."""
    _add_corpus(commands)
    _add_train(commands)
    _add_blend(commands)
    _add_evaluate(commands)


def _add_corpus(commands: Any) -> None:
    corpus = add_command(
        commands, "corpus", None, "prepare training data", "See `radio corpus build --help`.",
        "radio corpus build corpus -o data",
    )  # fmt: skip
    build = add_command(
        corpus.add_subparsers(metavar="ACTION", required=True), "build", _corpus_build,
        "turn a folder of MIDI files into training data",
        "The folder holds index.csv and the files it names. Columns: path, group, composer, title, has_dynamics (yes, "
        "no) and, if known, tempo_from (source, guessed) and source.",
        "radio corpus build corpus -o data",
    )  # fmt: skip
    build.add_argument("corpus", type=Path, help="folder with index.csv")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="DATA", help="folder for the training data")
    build.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default: 1)")


def _add_train(commands: Any) -> None:
    train = add_command(
        commands, "train", _train, "train a model",
        "The learning rate follows the budget of minutes; a run that was stopped goes on where it was with --resume.",
        """radio train --data data --out models/mine --minutes 120
        radio train --data data --out models/mine --minutes 120 --resume
        radio train --data data --out models/deep --start models/mine --layers 9 --minutes 120
        radio train --data data --out models/small --start models/deep --layers 5 --minutes 60""",
    )  # fmt: skip
    train.add_argument("--data", type=Path, required=True, metavar="DATA", help="folder made by `radio corpus build`")
    train.add_argument("--out", type=Path, required=True, metavar="MODEL", help="folder for the model")
    train.add_argument(
        "--start", type=Path, metavar="MODEL", help="begin with the weights of a trained model, not with random ones"
    )
    train.add_argument(
        "--layers", type=positive, metavar="N",
        help="depth of the model (default: 6, or that of --start's); more than --start's: new layers between its own; "
        "fewer: some of its own, evenly spread",
    )  # fmt: skip
    train.add_argument("--minutes", type=float, default=60.0, metavar="M", help="budget (default: 60)")
    train.add_argument("--rate", type=float, default=0.01, metavar="R", help="learning rate (default: 0.01)")
    train.add_argument(
        "--fall", type=float, default=0.45, metavar="S", help="share of the budget in which it falls (default: 0.45)"
    )
    train.add_argument(
        "--balance", type=float, default=0.5, metavar="P", help="draw styles by size to this power (default: 0.5)"
    )
    train.add_argument(
        "--openings", type=float, default=0.2, metavar="S", help="share of windows that open a piece (default: 0.2)"
    )
    train.add_argument(
        "--doubt", type=float, default=0.0, metavar="S",
        help="share of other windows with a prefix that does not fit, against its weight (default: 0)",
    )  # fmt: skip
    train.add_argument(
        "--recast", type=float, default=0.0, metavar="S",
        help="share of other windows that are played by other programs (default: 0)",
    )  # fmt: skip
    train.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    train.add_argument("--fuse", action="store_true", help="compile first; needs a C++ compiler")
    train.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to train")
    train.add_argument("--threads", type=positive, metavar="N", help="threads (default: torch's own)")
    train.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")


def _add_blend(commands: Any) -> None:
    blend = add_command(
        commands, "blend", _blend, "average what one training run was at several times",
        "The mean of the weights is often better than any of them: keep a copy of the run's folder each time its "
        "learning rate has fallen to zero. One named twice counts twice; plans, limits and index are the last one's.",
        "radio blend models/mine.60 models/mine.90 models/mine -o models/blend",
    )  # fmt: skip
    blend.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="folders of models of one run, in order")
    blend.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL", help="folder for the blend")


def _add_evaluate(commands: Any) -> None:
    evaluate = add_command(
        commands, "evaluate", _evaluate, "measure a model against human music",
        "Bits a note on works kept back, by what the prefix says. Then pieces are composed for every channel and "
        "measured beside human works of their style: style, distribution, structure, harmony, dynamics and memory of "
        "the corpus, with intervals. Writes the model's card, evaluation.json and evaluation.png. With --music, MIDI "
        "files are measured instead, whoever composed them.",
        """radio evaluate models/mine --data data
        radio evaluate models/mine --data data --pieces 50 --keep composed
        radio evaluate --music composed --data data
        radio evaluate models/mine --hours 24 --data data""",
    )  # fmt: skip
    evaluate.add_argument("model", type=Path, nargs="?", help="folder of the model")
    evaluate.add_argument(
        "--data",
        type=Path,
        metavar="DATA",
        help="folder made by `radio corpus build`; with --hours only to see whether the style lasts",
    )
    evaluate.add_argument(
        "--music", type=Path, metavar="DIR", help="instead of a model: a folder of MIDI files for each style, so named"
    )
    evaluate.add_argument(
        "--quick",
        action="store_true",
        help="bits a note and the two channels of --apart alone: minutes, not half an hour",
    )
    evaluate.add_argument("--keep", type=Path, metavar="DIR", help="write the pieces composed there, as MIDI files")
    evaluate.add_argument(
        "--hours", type=float, metavar="H",
        help="instead: compose so many hours for each channel and see whether the music collapses or drifts; goes on "
        "where it was stopped",
    )  # fmt: skip
    evaluate.add_argument("--unguarded", action="store_true", help="with --hours: let everything pass")
    evaluate.add_argument("--pieces", type=positive, default=20, metavar="N", help="pieces a channel (default: 20)")
    evaluate.add_argument(
        "--apart",
        nargs=2,
        default=("bach", "ragtime"),
        metavar="CHANNEL",
        help="two channels that a classifier is to tell apart (default: bach ragtime)",
    )
    evaluate.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")
    evaluate.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="for the figures, and no card (default: in the folder given)"
    )


def _corpus_build(arguments: argparse.Namespace) -> None:
    from radio.composer.commands import corpus_build

    corpus_build(folder=arguments.corpus, output=arguments.output, workers=arguments.workers)


def _train(arguments: argparse.Namespace) -> None:
    from radio.composer.commands import train
    from radio.composer.train import OPTIONS, TrainConfig

    train(
        arguments.data,
        arguments.out,
        TrainConfig(**{name: getattr(arguments, name) for name in OPTIONS}),
        start=arguments.start,
        layers=arguments.layers,
        resume=arguments.resume,
        device=arguments.device,
        threads=arguments.threads,
        fuse=arguments.fuse,
    )


def _blend(arguments: argparse.Namespace) -> None:
    from radio.composer import blend

    blend.save(arguments.models, arguments.output)


def _evaluate(arguments: argparse.Namespace) -> None:
    from radio.composer.evaluating import evaluate, evaluate_hours, evaluate_music
    from radio.config import load

    if (arguments.model is None) == (arguments.music is None):
        raise ConfigError(["evaluate: wanted the folder of a model, or --music with a folder of MIDI files"])
    if arguments.data is None and arguments.hours is None:
        raise ConfigError(["evaluate: --data: missing; wanted the folder made by `radio corpus build`"])
    if arguments.hours is not None:
        if arguments.model is None or arguments.hours <= 0:
            raise ConfigError(["evaluate: --hours: wanted the folder of a model, and hours above 0"])
        evaluate_hours(
            arguments.model, tuple(load().channels.values()), arguments.hours, arguments.seed, arguments.output,
            guarded=not arguments.unguarded, data=arguments.data,
        )  # fmt: skip
        return
    if arguments.music:
        evaluate_music(arguments.music, arguments.data, arguments.seed, arguments.output)
        return
    config = load()
    first, second = (config.channel(name).name for name in arguments.apart)
    evaluate(
        model=arguments.model,
        data=arguments.data,
        channels=tuple(config.channels.values()),
        apart=(first, second),
        pieces=arguments.pieces,
        seed=arguments.seed,
        keep=arguments.keep,
        quick=arguments.quick,
        output=arguments.output,
    )
