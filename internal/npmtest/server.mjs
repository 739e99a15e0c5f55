// An app that runs Clerk's own library, as its framework packages do: alone it
// signs browsers in by itself, behind the gate it says what it makes of the
// requests that the gate forwards.
//
// Arguments: one JSON object, the library's options. It prints its port.
import http from 'node:http';
import { createClerkClient } from '@clerk/backend';

const { client, request: options } = JSON.parse(process.argv[2]);
const clerk = createClerkClient({ ...client, telemetry: { disabled: true } });

const server = http.createServer(async (req, res) => {
  try {
    await answer(req, res);
  } catch (e) {
    res.writeHead(500, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ error: String(e) }));
  }
});

async function answer(req, res) {
  const state = await clerk.authenticateRequest(toRequest(req), options);
  state.headers.forEach((value, name) => {
    if (name !== 'set-cookie') res.setHeader(name, value);
  });
  const cookies = state.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader('set-cookie', cookies);
  if (state.headers.get('location')) {
    res.writeHead(307);
    res.end();
    return;
  }
  res.setHeader('content-type', 'application/json');
  res.setHeader('cache-control', 'no-store');
  res.end(JSON.stringify({ library: describe(state), headers: req.headers }));
}

// What the library makes of a request.
function describe(state) {
  const auth = state.toAuth();
  return {
    status: state.status,
    reason: state.reason,
    user: auth?.userId ?? null,
    session: auth?.sessionId ?? null,
    organization: auth?.orgSlug ?? null,
    role: auth?.orgRole ?? null,
    tokenType: auth?.tokenType ?? null,
  };
}

// The request as the library takes it: by the address that the browser has.
function toRequest(req) {
  const proto = req.headers['x-forwarded-proto'] ?? 'http';
  const headers = new Headers();
  for (let i = 0; i < req.rawHeaders.length; i += 2) headers.append(req.rawHeaders[i], req.rawHeaders[i + 1]);
  return new Request(`${proto}://${req.headers.host}${req.url}`, { method: req.method, headers });
}

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
// Whoever started it closes its input to end it.
process.stdin.resume().on('end', () => process.exit(0));
