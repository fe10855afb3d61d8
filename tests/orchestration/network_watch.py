"""Notes every connection and every name look-up of a Python process and its Python children. Runs as ``sitecustomize``, before anything else."""

import json
import os
import sys
from typing import Any

_WATCHED = (
    "socket.connect",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
)
_log = os.environ.get("NETWORK_WATCH")


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _log is None or event not in _WATCHED:
        return
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        address = list(arguments[:2])
    elif isinstance(arguments[1], tuple):
        address = list(arguments[1][:2])
    elif arguments[1] is None:  # over a connection that is noted
        return
    else:
        address = ["local socket"]
    line = json.dumps([event, [one.decode() if isinstance(one, bytes) else one for one in address]])
    descriptor = os.open(_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


if _log:
    sys.addaudithook(_note)
