"""A real JupyterLab on loopback and a real browser in it, for the browser tests."""

import ast
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
# What was asked of the kernel and is not answered yet, and how many messages were sent to it.
WATCH = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  window.asked = new Set();
  window.sent = 0;
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction !== 'send' || msg.channel !== 'shell') return;
    window.sent += 1;
    window.asked.add(msg.header.msg_id);
  });
  kernel.iopubMessage.connect((_, msg) => { // after the page has done what the message says
    if (msg.content.execution_state === 'idle') window.asked.delete(msg.parent_header.msg_id);
  });
}"""
# An answer may make the page ask again, and a canvas draws in the next frame.
REST = """async patience => {
  const end = performance.now() + patience;
  for (let calm = 0; calm < 3; calm = window.asked.size ? 0 : calm + 1) {
    await new Promise(requestAnimationFrame);
    if (performance.now() > end) throw new Error(`no answer to ${window.asked.size} messages`);
  }
}"""
RUN = """index => {
  const { commands, shell } = window.jupyterapp, notebook = shell.currentWidget.content;
  const code = notebook.widgets.map(({ model }) => model).filter((model) => model.type === 'code' && model.sharedModel.source.trim());
  window.running = index === null ? code : [notebook.widgets[index].model];
  window.running.forEach((model) => { model.executionCount = null; });
  if (index !== null) {
    notebook.activeCellIndex = index;
    notebook.deselectAll();
  }
  commands.execute(index === null ? 'notebook:run-all-cells' : 'notebook:run-cell');
}"""
# The command's own promise is of no use: run-all ends early, and the kernel is idle between two cells.
RAN = """() => {
  const failed = (model) => !model.getMetadata('tags')?.includes('raises-exception')
    && model.outputs.toJSON().find((output) => output.output_type === 'error');
  const error = window.running.map(failed).find(Boolean);
  if (error) return `${error.ename}: ${error.evalue}`;
  return window.running.every((model) => model.executionCount !== null) && !window.asked.size;
}"""
EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const reply = await kernel.requestExecute({ code, silent: true, store_history: false }).done;
  if (reply.content.status !== 'ok') throw new Error(`${code}: ${reply.content.evalue}`);
}"""
PATIENCE = 600_000  # milliseconds: only a kernel that hangs takes so long
APPEARS = 90_000  # milliseconds: only what never appears in the page takes so long
VIEW = {"width": 1300, "height": 1500}  # pixels of the page
# The style sheet may come later than the mark.
THEMED = """light => document.body.dataset.jpThemeLight === light && light ===
  String(['#fff', '#ffffff', 'white'].includes(getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()))"""
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
        self.page.set_default_timeout(APPEARS)
        self.errors: list[str] = []
        self.requests: set[str] = set()
        self.page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.requests.add(request.url))
        self.page.goto(f"{address}/doc/tree/{quote(name)}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
        self.page.wait_for_function(IDLE, timeout=PATIENCE)
        self.page.evaluate(WATCH)

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def run(self, cells: list[int] | None = None) -> "Notebook":
        """Run all cells, or those, and wait until each has run, or one has failed that should not."""
        for cell in cells or [None]:
            self.page.evaluate(RUN, cell)
            ended = self.page.wait_for_function(RAN, timeout=PATIENCE, polling=100).json_value()
            assert ended is True, ended
        self.rest()
        return self

    def execute(self, code: str) -> None:
        """Have the kernel run code of the test's own, beside the cells."""
        self.page.evaluate(EXECUTE, code)
        self.rest()

    def rest(self) -> None:
        """Wait until the kernel has answered all that the page asked, and the page has drawn it."""
        self.page.evaluate(REST, PATIENCE)

    def close(self) -> None:
        """Shut the kernel down and close the page: a class of open lessons would fill the memory."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
        self.page.close()

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme, "JupyterLab Light" or "JupyterLab Dark"; wait until the pictures follow."""
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        self.page.evaluate(change, name)
        self.page.wait_for_function(THEMED, arg=str("Light" in name).lower())
        self.rest()

    def strangers(self) -> list[str]:
        """The addresses asked for that are not on this machine."""
        parts = {url: urlsplit(url) for url in self.requests}
        return [
            url
            for url, part in parts.items()
            if part.scheme in ("http", "https", "ws", "wss") and part.hostname not in LOOPBACK
        ]
