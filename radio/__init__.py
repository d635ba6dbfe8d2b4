"""A generative radio: music composed while you listen, played, and broadcast."""

__version__ = "0.1.0"
