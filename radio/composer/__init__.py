"""Who writes the music: model, training, corpus, planner, batched engine, evaluation. The only room with torch."""
