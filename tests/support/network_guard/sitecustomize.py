"""Blocks the network in every Python that finds this folder on PYTHONPATH, and logs each attempt.

Python imports `sitecustomize` at its start, so subprocesses are guarded too. Loopback stays open: a kernel
talks with its notebook over it. What is refused is written, a line each, to the file CVLAB_NETWORK_LOG.
"""

import os
import socket
import sys

EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
HERE = ("", "localhost", "ip6-localhost", "::", "::1", "0.0.0.0", "255.255.255.255", socket.gethostname())


def _is_local(target) -> bool:
    host = target[0] if isinstance(target, tuple) else target
    if (
        host is None
        or isinstance(host, bytes)
        or (isinstance(target, str) and target.startswith(("/", "\0")))
    ):
        return True  # no address, or a Unix socket
    return str(host) in HERE or str(host).startswith("127.")


def _guard(event: str, args: tuple) -> None:
    if event not in EVENTS:
        return
    target = args[EVENTS[event]]
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        target = (target.decode() if isinstance(target, bytes) else target,)
    if _is_local(target):
        return
    if log := os.environ.get("CVLAB_NETWORK_LOG"):
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not imported this early)
            file.write(f"{event} {target!r}\n")
    raise PermissionError(f"the network is blocked in this run: {event} {target!r}")


sys.addaudithook(_guard)
