// Clerk's own library, asked what it makes of requests: one JSON object a line
// in, its decision out, in the form of the recorded vectors (README of
// internal/conformance). Time is what a line says, and Clerk's Backend API
// answers as the line says.
import readline from 'node:readline';

let line; // the input in hand
let calls; // those made for it

// The library takes fetch and its timers when it is loaded. Between repeats it
// would wait.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout = (run, _ms, ...rest) => setTimer(run, 0, ...rest);
globalThis.fetch = answerAsSaid;
Date.now = () => line?.now ?? 0;
for (const word of ['log', 'warn', 'error']) console[word] = () => {};

const { createClerkClient } = await import('@clerk/backend');

async function answerAsSaid(address, init) {
  const url = new URL(String(address));
  const call = {
    method: init?.method ?? 'GET',
    origin: url.origin,
    path: url.pathname,
    query: url.search,
    authorization: new Headers(init?.headers).get('authorization'),
    body: init?.body ? JSON.parse(init.body) : null,
  };
  calls.push(call);
  const said = line.backendApi?.find(a => a.method === call.method && a.path === call.path);
  if (said?.networkError) {
    call.answered = 'network-error';
    throw new TypeError('fetch failed');
  }
  call.answered = said?.status ?? 404;
  const body = said
    ? (said.bodyText ?? JSON.stringify(said.body))
    : '{"errors":[{"message":"not found","long_message":"not found","code":"resource_not_found"}]}';
  return new Response(body, { status: call.answered, headers: { 'content-type': said?.contentType ?? 'application/json' } });
}

async function decide(input) {
  line = input;
  calls = [];
  const { apiUrl, ...config } = input.config;
  try {
    const clerk = createClerkClient({ ...config, apiUrl, telemetry: { disabled: true } });
    const headers = new Headers();
    for (const [name, value] of input.request.headers) headers.append(name, value);
    const request = new Request(input.request.url, { method: input.request.method, headers });
    const state = await clerk.authenticateRequest(request, config);
    return { ...describe(state), backendApiCalls: calls };
  } catch (e) {
    return { status: 'error', error: { name: e?.name, message: String(e?.message) }, backendApiCalls: calls };
  }
}

function describe(state) {
  const cookies = state.headers.getSetCookie().map(value => ['set-cookie', value]);
  const others = [...state.headers].filter(([name]) => name !== 'set-cookie');
  const out = {
    status: state.status,
    reason: state.reason ?? null,
    message: state.message ?? null,
    tokenType: state.tokenType ?? null,
    token: state.token ?? null,
    headers: [...others, ...cookies].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
    auth: null,
  };
  try {
    const auth = state.toAuth();
    out.auth = shown(auth);
    if (state.status === 'signed-in' && state.tokenType === 'session_token' && !auth.isAuthenticated) {
      out.authWithPending = shown(state.toAuth({ treatPendingAsSignedOut: false }));
    }
  } catch (e) {
    out.authError = { name: e?.name, message: String(e?.message) };
  }
  return out;
}

// What JSON can hold of an auth object.
function shown(auth) {
  if (!auth) return null;
  return Object.fromEntries(Object.entries(auth).filter(([, value]) => typeof value !== 'function').map(([name, value]) => [name, value ?? null]));
}

for await (const text of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(JSON.stringify(await decide(JSON.parse(text))) + '\n');
}
