"""Sinks: consumers of a mount that are not HTTP listeners. `radio.air.sinks.keeper` lists their kinds and runs them."""
