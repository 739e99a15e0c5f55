"""The application in Flask, for gunicorn."""

from flask import Flask, request

from record import record

app = Flask(__name__, static_folder=None)
ANY = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def route(path, name, methods=ANY):
    def serve(slug="", **_):
        text = record(
            name,
            request.method,
            request.path,
            request.host,
            request.headers.items(),
            slug,
            request.environ.get("SERVER_PROTOCOL", ""),
        )
        return text, 404 if name == "none" else 200, {"Content-Type": "application/json"}

    app.add_url_rule(path, path + name, serve, methods=methods)


route("/", "home")
route("/open/<path:rest>", "open")
route("/assets/<path:rest>", "asset")
route("/api/login", "login")
route("/api/posts", "posts-read", ["GET"])
route("/api/posts", "posts-write", ["POST", "DELETE"])
route("/api/posts/<id>", "posts-read", ["GET"])
route("/api/posts/<id>", "posts-write", ["POST", "DELETE"])
route("/admin", "admin")
route("/admin/<path:rest>", "admin")
route("/files/secret/<path:rest>", "secret")
route("/files/<path:rest>", "files")
route("/dashboard", "dashboard")
route("/orgs/<slug>", "orgs")
route("/orgs/<slug>/<path:rest>", "orgs")
route("/<path:rest>", "none")
