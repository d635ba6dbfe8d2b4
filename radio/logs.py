"""The log of a process: what it says on standard error, as lines for people or as JSON for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Json(logging.Formatter):
    """A record as one line of JSON: time (RFC 3339, UTC), level, process, logger, message, and an exception's trace."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)


def use(form: str, process: str = "") -> None:
    """Has this process write its log as "text" or "json" from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json(process) if form == "json" else logging.Formatter(TEXT, "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
