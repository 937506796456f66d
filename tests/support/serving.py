"""A loopback server of a few files by name, for what is fetched only online."""

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def serving(bodies: dict[str, bytes], length: int | None = None, sha256: str = ""):
    """Serve files by name on loopback, with a hub's headers; give the address and what was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.wfile.write(self.head())

        def do_HEAD(self):
            self.head()

        def head(self):
            body = bodies[self.path.rpartition("/")[2]]
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(body)))
            self.send_header("ETag", f'"{sha256 or hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            return body

        def log_message(self, *args):
            """Keep the tests' output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", asked
    finally:
        httpd.shutdown()
        httpd.server_close()
