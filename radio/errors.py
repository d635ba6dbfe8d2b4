"""The errors a user can mend. Each message says what was got, what was wanted, and the remedy.

RadioError
├── ConfigError     a TOML file (every problem of every file at once)
├── MissingError    a library, soundfont, encoder or model that is not there
├── ModelError      weights and configuration that do not fit together
├── MidiError       a MIDI file that cannot be used
├── LinkError       bytes on the studio–transmitter link that are not a message
└── SinkError       what keeps a sink from going on: a server that refuses, a full disk
"""

from __future__ import annotations


class RadioError(Exception):
    """Any error whose message is meant for the person who runs the radio."""


class ConfigError(RadioError):
    """Everything that is wrong with the configuration, one problem a line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MissingError(RadioError):
    """Something that must be installed; the message holds the command that does it."""


class ModelError(RadioError):
    """A model folder whose weights, configuration or vocabulary do not fit."""


class MidiError(RadioError):
    """A MIDI file that cannot be used, and why."""


class LinkError(RadioError):
    """Bytes on the link that are not a message."""


class SinkError(RadioError):
    """What keeps a sink from going on. `pause`: seconds for which trying again would be of no use."""

    def __init__(self, message: str, *, pause: float = 0.0) -> None:
        self.pause = pause
        super().__init__(message)
