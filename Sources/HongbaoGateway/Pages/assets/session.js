// What the pages remember: who is signed in (for this tab); and for this device the grant tokens that it was handed, a
// withdrawal or a red packet without a final answer, and what it was told of red packets.

const TOKENS_MAX = 200;
// A link that was made to do harm can push at most so many of the kept ones out.
const ARRIVING_MAX = 20;
const TOKEN_CHARACTERS_MAX = 4096;
const SESSION = "hongbao.session";
const ARRIVED = "hongbao.arrived";

/** A key of one of the browser's stores, as JSON. Where the browser keeps nothing, memory has to do. */
class Cell {
  constructor(storage, key) {
    Object.assign(this, { storage, key, memory: null });
  }

  read() {
    try {
      const kept = window[this.storage].getItem(this.key);
      return kept === null ? this.memory : JSON.parse(kept);
    } catch {
      return this.memory;
    }
  }

  write(value) {
    this.memory = value;
    try {
      if (value === null) window[this.storage].removeItem(this.key);
      else window[this.storage].setItem(this.key, JSON.stringify(value));
    } catch {
      // Full or forbidden: the copy in memory lasts as long as the page.
    }
  }
}

const sessionCell = new Cell("sessionStorage", SESSION);
const arrivedCell = new Cell("sessionStorage", ARRIVED);

/** `{jwt, person, campaign, name}`, or `null` when nobody is signed in. */
export const session = {
  get: () => sessionCell.read(),
  set: (value) => sessionCell.write(value),
  clear: () => sessionCell.write(null),
};

/** The person that a JWT names. Only to find the person's things on this device: the server is the one to judge it. */
function personOf(jwt) {
  try {
    const payload = jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { sub } = JSON.parse(atob(payload));
    return typeof sub === "string" && /^\d{1,20}$/.test(sub) ? sub : null;
  } catch {
    return null;
  }
}

/**
 * Takes `#jwt=…` and `#token=…` out of the address before anything else can see them there.
 *
 * A JWT signs in. Answers whether there was anything to take.
 */
export function absorbFragment(campaign) {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const jwt = fragment.get("jwt");
  const tokens = fragment.getAll("token").slice(0, ARRIVING_MAX);
  if (jwt === null && tokens.length === 0) return false;
  history.replaceState(null, "", location.pathname + location.search);
  if (jwt !== null) session.set({ jwt, person: personOf(jwt), campaign, name: null });
  tokens.forEach(keepToken);
  return true;
}

/** Keeps a grant token that the page was handed. While it isn't known whose it is, it waits in this tab. */
export function keepToken(token) {
  const { campaign = null, person = null } = session.get() ?? {};
  if (campaign !== null && person !== null) new KeptTokens(campaign, person).keep(token);
  else arrivedCell.write([...(arrivedCell.read() ?? []), token].slice(-ARRIVING_MAX));
}

function isTokenShaped(token) {
  return typeof token === "string" && token.length <= TOKEN_CHARACTERS_MAX && /^[A-Za-z0-9_.~+/=-]+$/.test(token);
}

/**
 * One person's grant tokens on this device: the client's half of the mutual backup (TK-4).
 *
 * Newest first, at most 200. Each knows whether the server has accepted it before.
 */
export class KeptTokens {
  constructor(campaign, person) {
    this.cell = new Cell("localStorage", `hongbao.tokens.${campaign}.${person}`);
    for (const token of arrivedCell.read() ?? []) this.keep(token);
    arrivedCell.write(null);
  }

  entries() {
    const kept = this.cell.read();
    return Array.isArray(kept) ? kept.filter((entry) => isTokenShaped(entry?.token)) : [];
  }

  list() {
    return this.entries().map((entry) => entry.token);
  }

  get hasNew() {
    return this.entries().some((entry) => !entry.accepted);
  }

  keep(token) {
    const entries = this.entries();
    if (!isTokenShaped(token) || entries.some((entry) => entry.token === token)) return;
    this.cell.write([{ token, accepted: false }, ...entries].slice(0, TOKENS_MAX));
  }

  markAccepted(tokens) {
    const accepted = new Set(tokens);
    this.cell.write(this.entries().map((e) => (accepted.has(e.token) ? { ...e, accepted: true } : e)));
  }

  drop(tokens) {
    const dropped = new Set(tokens);
    this.cell.write(this.entries().filter((entry) => !dropped.has(entry.token)));
  }

  /** What to drop when the server refuses a list without saying which: the unproven, or else the oldest. */
  suspects() {
    const entries = this.entries();
    const unproven = entries.filter((entry) => !entry.accepted);
    return (unproven.length > 0 ? unproven : entries.slice(-1)).map((entry) => entry.token);
  }
}

/** The one withdrawal without a final answer: `{id, amount, sentAt, unsure}` or `null`. */
export function openWithdrawal(campaign, person) {
  return new Cell("localStorage", `hongbao.withdrawal.${campaign}.${person}`);
}

/** The one red packet that was asked for and not answered yet, as the request that it is; or `null`. */
export function openSend(person) {
  return new Cell("localStorage", `hongbao.send.${person}`);
}

const PACKETS_MAX = 50;

/** A text for each red packet that this device has seen lately. */
class PacketNotes {
  constructor(key) {
    this.cell = new Cell("localStorage", key);
  }

  entries() {
    const kept = this.cell.read();
    return Array.isArray(kept) ? kept.filter((entry) => Array.isArray(entry) && entry.length === 2) : [];
  }

  of(packet) {
    return this.entries().find(([id]) => id === packet)?.[1] ?? null;
  }

  /** What was noted first stays: a commitment that changes afterwards is what it's kept for. */
  keep(packet, note) {
    if (this.of(packet) === null) this.cell.write([[packet, note], ...this.entries()].slice(0, PACKETS_MAX));
  }
}

export const commitments = new PacketNotes("hongbao.commitments");
export const paymentPages = new PacketNotes("hongbao.payments");
