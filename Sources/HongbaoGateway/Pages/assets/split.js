// A red packet's shares, computed again in the browser from its opened seed (RP-10). docs/splits.md says how.

const FEW_MAX = 20n;
const ROUNDS = 12;
const PURPOSE = { halve: 1, deal: 2, round: 3, turn: 4 };
const KINDS = { equal: 1, lucky: 2 };
const encoder = new TextEncoder();
const DRAW_DOMAIN = encoder.encode("hongbao split 1\0");
const COMMITMENT_DOMAIN = encoder.encode("hongbao split commitment 1\0");

/** Whether this browser can check at all: only secure pages may use its cryptography. */
export const canCheck = globalThis.crypto?.subtle !== undefined;

function bytesOf(hex) {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new TypeError("not hexadecimal");
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

function hexOf(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A number in so many bytes, the most significant one first. */
function bigEndian(number, size) {
  return bytesOf(BigInt(number).toString(16).padStart(size * 2, "0"));
}

function joined(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A draw of 128 bits as a number from 0 on that is below the bound. */
function below(draw, bound) {
  return (draw * bound) >> 128n;
}

/** The two draws of each question, by HMAC-SHA256 under the seed; asked once each. */
async function drawsOf(seed) {
  const key = await crypto.subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const known = new Map();
  return async (purpose, a, b) => {
    const question = `${purpose} ${a} ${b}`;
    let answer = known.get(question);
    if (answer === undefined) {
      const message = joined(DRAW_DOMAIN, [purpose], bigEndian(a, 4), bigEndian(b, 4));
      const digits = hexOf(await crypto.subtle.sign("HMAC", key, message));
      answer = { first: BigInt(`0x${digits.slice(0, 32)}`), second: BigInt(`0x${digits.slice(32)}`) };
      known.set(question, answer);
    }
    return answer;
  };
}

async function placeAmongFew(count, position, draw) {
  let orders = 1n;
  for (let n = 2n; n <= count; n += 1n) orders *= n;
  let choice = below((await draw(PURPOSE.deal, count, 0n)).first, orders);
  let place = position;
  for (let last = count - 1n; last > 0n; last -= 1n) {
    const digit = choice % (last + 1n);
    choice /= last + 1n;
    if (place === last) place = digit;
    else if (place === digit) place = last;
  }
  return place;
}

function rootRoundedUp(number) {
  let root = BigInt(Math.floor(Math.sqrt(Number(number))));
  while (root * root < number) root += 1n;
  return root;
}

async function placeAmongMany(count, position, draw) {
  const rows = rootRoundedUp(count);
  const columns = (count + rows - 1n) / rows;
  let place = position;
  do {
    let row = place / columns;
    let column = place % columns;
    for (let round = 0; round < ROUNDS; round += 1) {
      const half = round % 2 === 0 ? row : column;
      const { first } = await draw(PURPOSE.round, round, half);
      if (round % 2 === 0) column = (column + below(first, columns)) % columns;
      else row = (row + below(first, rows)) % rows;
    }
    place = row * columns + column;
  } while (place >= count);
  return (place + below((await draw(PURPOSE.turn, count, 0n)).first, count)) % count;
}

async function luckyShare(amount, count, position, draw) {
  const place = await (count <= FEW_MAX ? placeAmongFew : placeAmongMany)(count, position, draw);
  let first = 0n;
  let size = count;
  let surplus = amount - count;
  while (size > 1n) {
    const half = size / 2n;
    const answer = await draw(PURPOSE.halve, first, size);
    const spread = below(answer.first, 2n * surplus + 1n);
    const lower = ((half - 1n) * surplus + spread + below(answer.second, size)) / size;
    if (place < first + half) [size, surplus] = [half, lower];
    else [first, size, surplus] = [first + half, size - half, surplus - lower];
  }
  return 1n + surplus;
}

function equalShare(amount, count, position) {
  return amount / count + (position < amount % count ? 1n : 0n);
}

/** What each position gets, as a function of the position, in fen. */
export async function sharesOf({ amount, count, split, seed }) {
  const [fen, shares] = [BigInt(amount), BigInt(count)];
  if (split === "equal") return async (position) => Number(equalShare(fen, shares, BigInt(position)));
  const draw = await drawsOf(bytesOf(seed));
  return async (position) => Number(await luckyShare(fen, shares, BigInt(position), draw));
}

/** What was published at send, for these facts. */
export async function commitmentOf({ packet, amount, count, split, seed }) {
  const facts = [bigEndian(packet, 8), bigEndian(amount, 8), bigEndian(count, 4), [KINDS[split]], bytesOf(seed)];
  return hexOf(await crypto.subtle.digest("SHA-256", joined(COMMITMENT_DOMAIN, ...facts)));
}

/**
 * Checks claims against a packet's opened seed, and the seed against the commitment that this device knows of.
 *
 * Answers whether the seed is the committed one, and the claims whose amount isn't what the seed says.
 */
export async function checkSplit(reveal, claims, commitment) {
  const isCommitted = commitment === reveal.commitment && (await commitmentOf(reveal)) === commitment;
  const share = await sharesOf(reveal);
  const seen = new Set();
  const faults = [];
  for (const { position, amount } of claims) {
    const isPosition = Number.isInteger(position) && position >= 0 && position < reveal.count;
    const due = isPosition && !seen.has(position) ? await share(position) : null;
    if (amount !== due) faults.push({ position, amount, due });
    seen.add(position);
  }
  return { isCommitted, faults, holds: isCommitted && faults.length === 0 };
}
