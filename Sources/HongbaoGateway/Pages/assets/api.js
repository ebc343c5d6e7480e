// The HTTP API as the page uses it: JSON over fetch, with deadlines, problems (RFC 9457) and few, spaced retries.

const DEADLINE_MS = 10_000;
const RETRY_BASE_MS = 700;
// A longer Retry-After isn't waited for behind the person's back: the retry button counts it down instead.
const RETRY_AFTER_SILENT_MS = 3_000;
const STATUS_CODES = { 401: "unauthorized", 404: "not_found", 429: "rate_limited", 502: "unavailable",
  503: "unavailable", 504: "unavailable" };

/** Why a request wasn't answered as asked. `code` is stable; `status` is 0 when no answer came at all. */
export class Problem extends Error {
  constructor({ code, status, param = null, retryable, retryAfterMs = 0 }) {
    super(code);
    this.name = "Problem";
    Object.assign(this, { code, status, param, retryable, retryAfterMs });
  }

  /** True when the server may have done what was asked although it didn't say so. */
  get outcomeUnknown() {
    return this.status === 0 || (this.status >= 500 && this.code !== "overloaded" && this.code !== "switched_off");
  }
}

/** A promise that is kept after some time, and not while nobody looks at the page. */
export async function pause(ms) {
  await new Promise((done) => setTimeout(done, ms));
  while (document.hidden) {
    await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
  }
}

/** The wait before try `n` (from 0): doubling, with jitter so that many phones don't come back at once. */
export function backoffMs(n, baseMs = RETRY_BASE_MS, capMs = 30_000) {
  return Math.min(capMs, baseMs * 2 ** Math.min(n, 16)) * (0.75 + Math.random() / 2);
}

function retryAfterMs(headers) {
  const value = headers.get("Retry-After");
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's own page: the status has to do.
  }
  return new Problem({
    code: typeof body.code === "string" ? body.code : STATUS_CODES[response.status] ?? "other",
    status: response.status,
    param: typeof body.param === "string" ? body.param : null,
    retryable: typeof body.retryable === "boolean" ? body.retryable : response.status === 429 || response.status >= 502,
    retryAfterMs: retryAfterMs(response.headers),
  });
}

/** One request, once. Throws `Problem` and nothing else. */
async function send(method, path, { jwt = null, body } = {}) {
  const headers = { Accept: "application/json" };
  if (jwt !== null) headers.Authorization = `Bearer ${jwt}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Problem({ code: "network", status: 0, retryable: true });
  }
  throw await problemOf(response);
}

/** The same, tried again a bounded number of times. For requests that may safely arrive twice. */
async function sendSafely(method, path, options, tries = 3) {
  for (let n = 0; ; n += 1) {
    try {
      return await send(method, path, options);
    } catch (problem) {
      const waitMs = Math.max(problem.retryAfterMs, backoffMs(n));
      if (!problem.retryable || n + 1 >= tries || problem.retryAfterMs > RETRY_AFTER_SILENT_MS) throw problem;
      await pause(waitMs);
    }
  }
}

function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

export const demo = {
  /** `{campaign, apps: [{id, name}]}`, or a 404 where the demo's sign-in is off. */
  apps: (campaign) => sendSafely("GET", address("/v1/demo/apps", { campaign })),
  login: (app, user, phone) =>
    send("POST", "/v1/demo/login", { body: phone === "" ? { app, user } : { app, user, phone } }),
};

/** What a campaign has given so far: anybody may ask. */
export function totalApi({ campaign }) {
  const path = `/v1/totals/${encodeURIComponent(campaign)}`;
  return { total: () => sendSafely("GET", path), streamAddress: `${path}/stream` };
}

/** One person's calls about red packets. */
export function packetApi({ jwt }) {
  const path = (id) => `/v1/red-packets/${encodeURIComponent(id)}`;
  return {
    packet: (id) => sendSafely("GET", path(id), { jwt }),
    claims: (id, cursor, limit) => sendSafely("GET", address(`${path(id)}/claims`, { cursor, limit }), { jwt }),
    // Not retried here: whoever claims has a pace of its own.
    claim: (id) => send("POST", `${path(id)}/claims`, { jwt, body: {} }),
    send: (body) => sendSafely("POST", "/v1/red-packets", { jwt, body }, 2),
    subsidies: (campaign) => sendSafely("GET", address("/v1/subsidies", { campaign }), { jwt }),
  };
}

/** One person's calls for one campaign. */
export function walletApi({ jwt, campaign }) {
  return {
    wallet: () => sendSafely("GET", address("/v1/wallet", { campaign }), { jwt }),
    walletWith: (tokens) => sendSafely("POST", address("/v1/wallet", { campaign }), { jwt, body: { tokens } }),
    statement: (cursor, limit) =>
      sendSafely("GET", address("/v1/wallet/statement", { campaign, limit, cursor }), { jwt }),
    withdraw: (id, amount) =>
      sendSafely("POST", "/v1/wallet/withdrawals", { jwt, body: { campaign, id, amount } }, 2),
    // Not retried here: whoever polls has a pace of its own.
    withdrawal: (id) =>
      send("GET", address(`/v1/wallet/withdrawals/${encodeURIComponent(id)}`, { campaign }), { jwt }),
    // Nor this one.
    useReward: (id) => send("POST", `/v1/wallet/rewards/${encodeURIComponent(id)}/use`, { jwt }),
  };
}
