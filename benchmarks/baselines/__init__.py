"""Five baselines after the systems this radio grew out of, trained and measured like our own model."""
