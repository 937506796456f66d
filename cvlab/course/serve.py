"""JupyterLab that leaves a file once it listens: `cvlab lab` runs this in a process of its own.

Asking the port who is there would not do: another server may have it, and answers with a 403 in its own terminal.
"""

import sys
from pathlib import Path

__all__ = ["main"]


def main(ready: str, *words: str) -> None:
    """Serve until the process is stopped.

    Args:
        ready: the file that appears when the server has its port.
        *words: the options of JupyterLab.
    """
    from jupyterlab.labapp import LabApp

    server = LabApp.initialize_server(argv=list(words))  # the loop's first task is to take the port ...
    server.io_loop.add_callback(Path(ready).touch)  # ... which ends the process where another one has it
    server.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
