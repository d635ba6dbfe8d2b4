"""Who plays it: performer, synth, loudness, encoders, one channel's programme."""
