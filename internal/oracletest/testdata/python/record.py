"""Writes down what an application believes it was asked."""

import json
import os

_log = os.open(os.environ["ORACLE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def record(handler, method, path, host, headers, slug="", protocol=""):
    """Adds one line, in one write, and returns it."""
    line = json.dumps(
        {
            "handler": handler,
            "method": method,
            "path": path,
            "host": host,
            "slug": slug,
            "protocol": protocol,
            "headers": [[name, value] for name, value in headers],
        }
    )
    os.write(_log, line.encode() + b"\n")
    return line
