"""The evaluation kit: how composed music compares with human music, in figures with intervals."""
