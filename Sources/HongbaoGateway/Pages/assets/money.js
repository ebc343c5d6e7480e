// Amounts of money: integers in fen (0.01 yuan), read and written digit by digit. No fractions are ever computed.

// 13 digits of yuan and 2 of fen always fit a safe integer.
const YUAN_DIGITS_MAX = 13;
const FULL_WIDTH_ZERO = 0xff10;

/** Chinese keyboards type full-width digits and dots; they mean the same. Nothing else is made up for. */
function narrow(text) {
  return text
    .trim()
    .replace(/[０-９]/g, (digit) => String(digit.charCodeAt(0) - FULL_WIDTH_ZERO))
    .replace(/[．。]/g, ".");
}

/**
 * Reads an amount in yuan as a person types it.
 *
 * Answers `{fen}`, or `{refusal}` with `empty`, `malformed`, `precision` (more than two decimals), `zero` or
 * `large`, in this order of precedence.
 */
export function parseYuan(text) {
  const digits = narrow(text);
  if (digits === "") return { refusal: "empty" };
  const parts = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(digits);
  if (parts === null) return { refusal: "malformed" };
  const [, yuan, fraction = ""] = parts;
  if (fraction.length > 2) return { refusal: "precision" };
  if (yuan.length > YUAN_DIGITS_MAX) return { refusal: "large" };
  const fen = Number(yuan + fraction.padEnd(2, "0"));
  return fen === 0 ? { refusal: "zero" } : { fen };
}

/** An amount without its sign, as `1234.56`; `null` for what isn't an exact integer. */
export function plainYuan(fen) {
  if (!Number.isSafeInteger(fen)) return null;
  const digits = String(fen).replace("-", "").padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** An amount as `¥1,234.56` or `−¥1,234.56`; a dash when it isn't known. */
export function formatFen(fen) {
  const plain = plainYuan(fen);
  if (plain === null) return "—";
  return `${fen < 0 ? "−" : ""}¥${plain.replace(/\B(?=(\d{3})+\.)/g, ",")}`;
}

/** The same with its sign always written, for the lines of a statement: `+¥1.00`, `−¥1.00`. */
export function formatSigned(fen) {
  return fen > 0 && Number.isSafeInteger(fen) ? `+${formatFen(fen)}` : formatFen(fen);
}
