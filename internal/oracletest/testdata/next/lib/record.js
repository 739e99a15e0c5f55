// Writes down what the application believes it was asked.
import { appendFileSync } from "node:fs";

export function record(handler, { method = "", path = "", host = "", headers, slug = "" }) {
  const line = JSON.stringify({ handler, method, path, host, slug, headers });
  appendFileSync(process.env.ORACLE_LOG, line + "\n");
  return line;
}

// recordNode takes a request of Node's, as pages and API routes have them.
export function recordNode(handler, request, slug) {
  const headers = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
  return record(handler, { method: request.method, path: request.url, host: request.headers.host, headers, slug });
}

// page makes a page that is made for each request.
export function page(handler) {
  return async ({ req, params }) => ({ props: { text: recordNode(handler, req, params?.slug) } });
}
