"""Who sends the music: clock, packet log, listeners, feed, web server. One asyncio process, no torch."""
