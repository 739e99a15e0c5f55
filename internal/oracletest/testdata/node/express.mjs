// The application in Express, version 4 or 5, in its default settings.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { listen, record } from "./record.mjs";

const version = process.argv[2];
const express = createRequire(import.meta.url)("express" + version);
const rest = version === "4" ? "/*" : "/*rest";
const app = express();

function serve(handler) {
  return (request, response) => {
    const text = record(handler, request, request.path, request.hostname, { slug: request.params.slug ?? "" });
    response.status(handler === "none" ? 404 : 200).type("json").send(text);
  };
}

app.all("/", serve("home"));
app.all("/open" + rest, serve("open"));
app.all("/assets" + rest, serve("asset"));
app.all("/api/login", serve("login"));
for (const path of ["/api/posts", "/api/posts/:id"]) {
  app.get(path, serve("posts-read"));
  app.post(path, serve("posts-write"));
  app.delete(path, serve("posts-write"));
}
for (const path of ["/admin", "/admin" + rest]) app.all(path, serve("admin"));
app.all("/files/secret" + rest, serve("secret"));
app.all("/files" + rest, serve("files"));
app.all("/dashboard", serve("dashboard"));
for (const path of ["/orgs/:slug", "/orgs/:slug" + rest]) app.all(path, serve("orgs"));
app.use(serve("none"));
listen(createServer(app));
