"""The application in Starlette, for hypercorn and uvicorn."""

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from record import record

ANY = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def handler(name):
    async def serve(request):
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw]
        text = record(
            name,
            request.method,
            request.url.path,
            request.headers.get("host", ""),
            headers,
            request.path_params.get("slug", ""),
            request.scope["http_version"],
        )
        return Response(text, 404 if name == "none" else 200, media_type="application/json")

    return serve


def route(path, name, methods=ANY):
    return Route(path, handler(name), methods=methods)


app = Starlette(
    routes=[
        route("/", "home"),
        route("/open/{rest:path}", "open"),
        route("/assets/{rest:path}", "asset"),
        route("/api/login", "login"),
        route("/api/posts", "posts-read", ["GET"]),
        route("/api/posts", "posts-write", ["POST", "DELETE"]),
        route("/api/posts/{id}", "posts-read", ["GET"]),
        route("/api/posts/{id}", "posts-write", ["POST", "DELETE"]),
        route("/admin", "admin"),
        route("/admin/{rest:path}", "admin"),
        route("/files/secret/{rest:path}", "secret"),
        route("/files/{rest:path}", "files"),
        route("/dashboard", "dashboard"),
        route("/orgs/{slug}", "orgs"),
        route("/orgs/{slug}/{rest:path}", "orgs"),
        route("/{rest:path}", "none"),
    ]
)
