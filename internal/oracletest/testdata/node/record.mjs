// Writes down what an application believes it was asked.
import { appendFileSync } from "node:fs";

export function record(handler, request, path, host, more = {}) {
  const headers = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
  const line = JSON.stringify({ handler, method: request.method, path, host: host ?? "", protocol: request.httpVersion, headers, ...more });
  appendFileSync(process.env.ORACLE_LOG, line + "\n");
  return line;
}

export function listen(server) {
  const [host, port] = process.env.ORACLE_ADDRESS.split(":");
  server.listen(Number(port), host);
}
