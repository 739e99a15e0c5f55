import { record } from "../../../lib/record";

async function handler(request, { params }) {
  const { rest } = await params;
  const url = new URL(request.url);
  const name = rest[0] === "secret" ? "secret" : "files";
  return new Response(record(name, { method: request.method, path: url.pathname, host: request.headers.get("host") ?? "", headers: [...request.headers] }));
}

export { handler as DELETE, handler as GET, handler as PATCH, handler as POST, handler as PUT };
