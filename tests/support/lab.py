"""A real JupyterLab on loopback and a real browser in it, for the browser tests."""

import ast
import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

IDLE = """() => {
  const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  const kernel = panel && panel.context && panel.context.sessionContext.session?.kernel;
  return !!kernel && kernel.status === 'idle';
}"""
RUN = """() => {
  window.ran = null;
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true }, e => { window.ran = String(e) });
}"""
RUN_ONE = """index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  window.ran = null;
  window.jupyterapp.commands.execute('notebook:run-cell').then(() => { window.ran = true }, e => { window.ran = String(e) });
}"""
PATIENCE = 600_000  # milliseconds: only what hangs takes so long
VIEW = {"width": 1300, "height": 1500}  # pixels of the page
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "notebook-extension/tracker": '{"windowingMode": "none"}',
}


def needed(sources: list[str], wanted: list[int]) -> list[int]:
    """Return the `wanted` cells and the earlier ones that bind, directly or not, the names that they use."""
    kept, names = [], set()
    for index in reversed(range(len(sources))):
        nodes = list(ast.walk(parsed(sources[index])))
        bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        bound |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        bound |= {
            a.asname or a.name.split(".")[0]
            for n in nodes
            if hasattr(n, "names")
            for a in n.names
            if isinstance(a, ast.alias)
        }
        if index in wanted or bound & names:
            kept.append(index)
            names |= {n.id for n in nodes if isinstance(n, ast.Name)} - bound
    return kept[::-1]


def parsed(source: str) -> ast.AST:
    """Parse a cell; one that is not plain Python (text, a magic) binds nothing."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])


@contextlib.contextmanager
def serve(root: Path, home: Path):
    """Serve the notebooks in `root` from a JupyterLab that keeps all of its own files in `home`; yield its address."""
    for name, text in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "CVLAB_HOME": "cvlab",
    }
    env = os.environ | {name: str(home / folder) for name, folder in folders.items()}
    server, address = start(root, env, home / "lab.log")
    try:
        yield address
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE / 1000)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def start(root: Path, env: dict, log: Path) -> tuple[subprocess.Popen, str]:
    """Start JupyterLab and wait until it answers; when somebody takes the port meanwhile, try another one."""
    command = [*(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root")]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.terminals_enabled=False"]
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("w") as out:
            server = subprocess.Popen(
                [*command, f"--port={port}"], env=env, cwd=root, stdout=out, stderr=subprocess.STDOUT
            )
        if answers(f"http://127.0.0.1:{port}", server):
            return server, f"http://127.0.0.1:{port}"
        if "already in use" not in log.read_text():
            break
    raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text()[-3000:]}")


def answers(address: str, server: subprocess.Popen) -> bool:
    """Wait until the server answers, or has ended."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=60).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


class Notebook:
    """One notebook open in JupyterLab; everything that went wrong in the page is kept in its lists."""

    def __init__(self, browser, address: str, name: str):
        self.page = browser.new_page(viewport=VIEW)
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.requests: set[str] = set()
        self.page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.requests.add(request.url))
        self.page.goto(f"{address}/doc/tree/{quote(name)}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
        self.page.wait_for_function(IDLE, timeout=PATIENCE)

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def run(self, cells: list[int] | None = None, timeout: float = PATIENCE) -> "Notebook":
        """Run all cells, or those, and wait until the kernel is idle; do not await the command, poll a flag."""
        for script, index in [(RUN, None)] if cells is None else [(RUN_ONE, index) for index in cells]:
            self.page.evaluate(script, index)
            self.page.wait_for_function("() => window.ran !== null", timeout=timeout)
            self.page.wait_for_function(IDLE, timeout=timeout)
            assert self.page.evaluate("window.ran") is True
        return self

    def close(self) -> None:
        """Shut the kernel down and close the page: a class of open lessons would fill the memory."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
        self.page.close()

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme, "JupyterLab Light" or "JupyterLab Dark"."""
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        self.page.evaluate(change, name)
        light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_timeout(500)  # its style sheet arrives a little later

    def bytes_of(self, image) -> bytes:
        """Return the encoded picture that an <img> shows."""
        script = """async img => {
          const data = new Uint8Array(await (await fetch(img.src)).arrayBuffer());
          return btoa(Array.from(data, b => String.fromCharCode(b)).join(''));
        }"""
        return base64.b64decode(image.evaluate(script))

    def strangers(self) -> list[str]:
        """The addresses asked for that are not on this machine."""
        parts = {url: urlsplit(url) for url in self.requests}
        return [
            url
            for url, part in parts.items()
            if part.scheme in ("http", "https", "ws", "wss") and part.hostname not in LOOPBACK
        ]
