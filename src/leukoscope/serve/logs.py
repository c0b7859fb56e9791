"""What happened, for whoever runs the service: one JSON object per line, nothing of an image."""

import json
import logging
import sys
from datetime import UTC, datetime

_FIELDS = ("request", "method", "route", "status", "seconds", "client", "person", "images")

log = logging.getLogger("leukoscope.serve")


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        entry |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=True)


def to_stderr() -> None:
    """Nothing; this process writes its log, and that of its HTTP server, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("leukoscope.serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
