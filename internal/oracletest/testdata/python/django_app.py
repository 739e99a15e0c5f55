"""The application in Django, for gunicorn."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from record import record

settings.configure(
    SECRET_KEY="of tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)
django.setup()


def view(name):
    @csrf_exempt
    def serve(request, slug="", **_):
        known = name
        if known == "posts":
            known = "posts-write" if request.method in ("POST", "DELETE") else "posts-read"
        text = record(
            known,
            request.method,
            request.path_info,
            request.get_host(),
            request.headers.items(),
            slug,
            request.META.get("SERVER_PROTOCOL", ""),
        )
        return HttpResponse(text, status=404 if name == "none" else 200, content_type="application/json")

    return serve


urlpatterns = [
    path("", view("home")),
    path("open/<path:rest>", view("open")),
    path("assets/<path:rest>", view("asset")),
    re_path(r"^api/login/?$", view("login")),
    re_path(r"^api/posts/?$", view("posts")),
    path("api/posts/<str:id>", view("posts")),
    re_path(r"^admin/?$", view("admin")),
    path("admin/<path:rest>", view("admin")),
    path("files/secret/<path:rest>", view("secret")),
    path("files/<path:rest>", view("files")),
    re_path(r"^dashboard/?$", view("dashboard")),
    path("orgs/<str:slug>", view("orgs")),
    path("orgs/<str:slug>/<path:rest>", view("orgs")),
    re_path(r"^.*$", view("none")),
]

app = get_wsgi_application()
