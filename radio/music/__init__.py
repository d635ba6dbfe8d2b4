"""What music is here: notes, bars, pieces, keys, form, files, tokens. No thread, clock, network or torch."""
