"""A stand-in for the W&B server on 127.0.0.1: GraphQL and the file stream, as far as wandb's client needs them.

It keeps what the client sends and can be told to fail. What the client sends is real; how W&B's own server would answer
is not proven by it.
"""

import json
import re
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = ("ok", "500", "429", "401", "hang")
HANG_SECONDS = 600.0


class Run:
    """What the server holds of one run: the history by line number, config, summary, state."""

    def __init__(self, name: str):
        self.name = name
        self.history: dict[int, dict[str, Any]] = {}
        self.fields: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.exit_code: int | None = None
        self.files: set[str] = set()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [self.history[line] for line in sorted(self.history)]


class Server:
    """`with Server() as server`: serves at `server.url`; `server.mode` and `server.stream_mode` are one of MODES."""

    def __init__(self) -> None:
        self.mode = self.stream_mode = "ok"
        self.runs: dict[str, Run] = {}
        self.requests: list[tuple[str, Any]] = []
        self.bodies = b""
        self.errors: list[str] = []
        """of its own, which a client would only see as a lost connection"""
        self.lock = threading.Lock()
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None: ...

            def do_GET(self) -> None:
                self.answer(404, {})

            def do_PUT(self) -> None:
                self.body()
                self.answer(200, {})

            def body(self) -> bytes:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    data = gzip.decompress(data)
                with server.lock:
                    server.bodies += data
                return data

            def do_POST(self) -> None:
                data = self.body()
                stream = re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", self.path)
                mode = server.stream_mode if stream and server.mode == "ok" else server.mode
                with server.lock:
                    server.requests.append((self.path, json.loads(data) if data[:1] == b"{" else data[:100]))
                if mode == "hang":
                    server.over.wait(HANG_SECONDS)
                    self.close_connection = True
                elif mode != "ok":
                    self.answer(int(mode), {"errors": [{"message": f"told to answer {mode}"}]})
                elif self.path == "/graphql":
                    self.answer(200, {"data": server.graphql(json.loads(data))})
                elif stream:
                    server.stream(stream[3], json.loads(data))
                    self.answer(200, {"exitcode": None, "limits": {}})
                else:
                    self.answer(200, {})

            def answer(self, status: int, content: Any) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # of 5, a client with more runs than that waits seconds for a connection

            def handle_error(self, request: Any, address: Any) -> None:
                if not isinstance(sys.exception(), ConnectionError):  # a client that was killed
                    server.errors.append(traceback.format_exc())

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()

    def graphql(self, request: dict[str, Any]) -> dict[str, Any]:
        query, values = request["query"], request.get("variables") or {}
        with self.lock:
            if "upsertBucket" in query:
                return {"upsertBucket": self.upsert(values)}
            if "query RunResumeStatus" in query:
                run = self.runs.get(values["name"])
                return {
                    "model": {
                        "id": "p",
                        "name": values["project"],
                        "entity": {"id": "e", "name": "me"},
                        "bucket": run and self.bucket(run),
                    }
                }
            if "createRunFiles" in query:
                files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in values["files"]]
                return {"createRunFiles": {"runID": values["run"], "uploadHeaders": [], "files": files}}
            if "viewer" in query:
                return {"viewer": {"id": "v", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        return {}

    def upsert(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("name") or values["id"]
        run = self.runs.setdefault(name, Run(name))
        run.fields.update({key: value for key, value in values.items() if value is not None})
        return {
            "bucket": {
                **self.bucket(run),
                "project": {"id": "p", "name": values.get("project"), "entity": {"id": "e", "name": "me"}},
            },
            "inserted": len(run.history) == 0,
        }

    def bucket(self, run: Run) -> dict[str, Any]:
        tail = [json.dumps(run.rows[-1])] if run.history else []
        return {
            "id": f"storage-{run.name}",
            "name": run.name,
            "displayName": run.fields.get("displayName"),
            "description": None,
            "config": run.fields.get("config") or "{}",
            "sweepName": run.fields.get("sweep"),
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "tags": run.fields.get("tags") or [],
            "wandbConfig": json.dumps({"t": 1}),
        }

    def stream(self, name: str, content: dict[str, Any]) -> None:
        with self.lock:
            run = self.runs.setdefault(name, Run(name))
            for file, chunk in (content.get("files") or {}).items():
                if file == "wandb-history.jsonl":
                    for line, text in enumerate(chunk["content"], chunk["offset"]):
                        run.history[line] = json.loads(text)
                elif file == "wandb-summary.json":
                    for text in chunk["content"]:
                        run.summary = json.loads(text)
            if content.get("complete"):
                run.exit_code = content.get("exitcode")


if __name__ == "__main__":
    with Server() as server:
        print(server.url, flush=True)
        time.sleep(1e6)
