"""An index on loopback that serves answers as they are given to it."""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def serve(answers):
    """Serves `answers` (project → content type and body), and gives the address of the index."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            content_type, body = answers.get(self.path.strip("/"), (None, b""))
            self.send_response(200 if content_type else 404)
            self.send_header("Content-Type", content_type or "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "http://{}:{}/".format(*server.server_address)
        finally:
            server.shutdown()
