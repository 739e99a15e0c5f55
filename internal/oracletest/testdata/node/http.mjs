// The application on Node's own server, which routes by what URL makes of the
// target and takes every upgrade.
import { createServer } from "node:http";
import { listen, record } from "./record.mjs";

function route(method, path) {
  const [first, second, third] = path.split("/").slice(1);
  switch (first) {
    case "": return ["home"];
    case "open": return ["open"];
    case "assets": return ["asset"];
    case "admin": return ["admin"];
    case "dashboard": return [second ? "none" : "dashboard"];
    case "files": return [second === "secret" && third !== undefined ? "secret" : "files"];
    case "orgs": return ["orgs", decodeURIComponent(second ?? "")];
    case "api":
      if (second === "login") return ["login"];
      if (second === "posts") return [method === "POST" || method === "DELETE" ? "posts-write" : "posts-read"];
  }
  return ["none"];
}

function told(request, more) {
  try {
    const url = new URL(request.url, "http://" + (request.headers.host ?? "none"));
    const [handler, slug = ""] = route(request.method, url.pathname);
    return [handler, record(handler, request, url.pathname, url.host, { slug, ...more })];
  } catch {
    return ["none", record("none", request, request.url, request.headers.host, more)];
  }
}

const server = createServer((request, response) => {
  const [handler, text] = told(request, {});
  response.writeHead(handler === "none" ? 404 : 200, { "content-type": "application/json" });
  response.end(text);
});
server.on("upgrade", (request, socket) => {
  told(request, { upgrade: request.headers.upgrade });
  socket.on("error", () => {});
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`);
  setTimeout(() => socket.destroy(), 1000);
});
listen(server);
