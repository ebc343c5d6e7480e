// The statement: pages of entries, newest first, loaded as the person scrolls and grouped by the day of their zone.

import { formatSigned } from "./money.js";
import { has, locale, text } from "./strings.js";
import { announce, element, icon, RetryControl } from "./view.js";

const PAGE_ENTRIES = 20;
// A server that keeps answering pages without anything new isn't asked for ever.
const BARREN_PAGES_MAX = 3;
const ICONS = { grant: "envelope", claim: "envelope", send: "gift", withdrawal: "out", refund: "back" };
const STATE_WORDS = { pending: "pending", processing: "pending", paid: "paid", failed: "failed" };

const timeFormat = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(locale, { month: "long", day: "numeric", weekday: "short" });
const yearFormat = new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", day: "numeric" });

function dayKey(date) {
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

function dayName(date) {
  const now = new Date();
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (dayKey(date) === dayKey(now)) return text("today");
  if (dayKey(date) === dayKey(yesterday)) return text("yesterday");
  return (date.getFullYear() === now.getFullYear() ? dayFormat : yearFormat).format(date);
}

/** A withdrawal that failed and its refund are two lines with one id. */
function lineKey(entry) {
  return `${entry.kind}:${entry.id}`;
}

function stateChip(entry) {
  // Grants never look unposted (TK-6): only a withdrawal has a state that a person can see.
  const word = entry.kind === "withdrawal" ? STATE_WORDS[entry.state] : undefined;
  return word === undefined ? null : element("span", { class: `chip chip-${word}` }, text(`state.${word}`));
}

function row(entry) {
  const at = new Date(entry.at);
  const kind = has(`kind.${entry.kind}`) ? entry.kind : "grant";
  return element(
    "li",
    { class: `entry entry-${kind}`, "data-line": lineKey(entry), "data-amount": entry.amount },
    element("span", { class: "entry-icon" }, icon(ICONS[kind])),
    element(
      "span",
      { class: "entry-what" },
      element("span", { class: "entry-title" }, entry.title || text(`kind.${kind}`)),
      element(
        "span",
        { class: "entry-when" },
        element("time", { datetime: at.toISOString() }, timeFormat.format(at)),
        stateChip(entry),
      ),
    ),
    element("span", { class: `entry-amount ${entry.amount > 0 ? "is-in" : "is-out"}` }, formatSigned(entry.amount)),
  );
}

export class Statement {
  /** `load(cursor, limit)` answers a page; `onMissing` hears which sources a page lacks; `onProblem` may take it. */
  constructor({ load, onMissing, onProblem }) {
    Object.assign(this, { load, onMissing, onProblem });
    this.list = document.getElementById("entries");
    this.skeleton = document.getElementById("entries-loading");
    this.emptyNote = document.getElementById("entries-empty");
    this.endNote = document.getElementById("entries-end");
    this.moreButton = document.getElementById("entries-more");
    this.sentinel = document.getElementById("entries-sentinel");
    this.retry = new RetryControl(document.getElementById("entries-problem"), () => this.next());
    this.moreButton.addEventListener("click", () => {
      this.barrenPages = 0;
      this.next();
    });
    this.observer = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.wanted(), {
      rootMargin: "400px 0px",
    });
    this.generation = 0;
    this.observer.observe(this.sentinel);
  }

  /** Starts over from the newest entry. The old lines stay until the new ones are there. */
  async reload() {
    this.generation += 1;
    Object.assign(this, { cursor: undefined, finished: false, busy: false, barrenPages: 0, fresh: true });
    await this.next();
  }

  stop() {
    this.generation += 1;
    Object.assign(this, { finished: true, busy: false });
    this.clear();
  }

  clear() {
    this.lines = new Set();
    this.lastDay = null;
    this.list.replaceChildren();
    this.retry.hide();
  }

  /** The end of the list is near the window. Trouble isn't answered with more requests: then only a tap is. */
  wanted() {
    if (this.cursor !== undefined && !this.retry.shown && this.barrenPages < BARREN_PAGES_MAX) this.next();
  }

  async next() {
    if (this.busy || this.finished) return;
    const generation = this.generation;
    this.busy = true;
    this.retry.hide();
    this.show();
    try {
      const page = await this.load(this.cursor, PAGE_ENTRIES);
      if (generation !== this.generation) return;
      this.append(page);
      this.retry.succeeded();
    } catch (problem) {
      if (generation !== this.generation) return;
      if (!this.onProblem(problem)) this.retry.show(problem);
    }
    this.busy = false;
    this.show();
    if (!this.finished && this.isSentinelNear()) this.wanted();
  }

  append(page) {
    if (this.fresh) this.clear();
    this.fresh = false;
    const isFirst = this.lines.size === 0;
    const added = page.entries.filter((entry) => !this.lines.has(lineKey(entry)));
    for (const entry of added) {
      this.lines.add(lineKey(entry));
      this.dayList(new Date(entry.at)).append(row(entry));
    }
    this.barrenPages = added.length > 0 ? 0 : this.barrenPages + 1;
    this.cursor = typeof page.next === "string" && page.next !== "" ? page.next : undefined;
    this.finished = this.cursor === undefined;
    this.onMissing(page.complete === false ? page.missing ?? [] : []);
    if (!isFirst && added.length > 0) announce(text("more.loaded", { count: this.lines.size }));
  }

  dayList(date) {
    const key = dayKey(date);
    if (this.lastDay?.key !== key) {
      const list = element("ul", { class: "day-entries" });
      this.list.append(element("section", { class: "day" }, element("h3", {}, dayName(date)), list));
      this.lastDay = { key, list };
    }
    return this.lastDay.list;
  }

  isSentinelNear() {
    const { top, height } = this.sentinel.getBoundingClientRect();
    return height > 0 && top < window.innerHeight + 400;
  }

  show() {
    const isEmpty = this.list.childElementCount === 0;
    this.list.setAttribute("aria-busy", String(this.busy));
    this.skeleton.hidden = !this.busy || (this.fresh && !isEmpty);
    this.emptyNote.hidden = !isEmpty || !this.finished;
    this.endNote.hidden = isEmpty || !this.finished;
    this.moreButton.hidden = this.busy || this.finished || this.retry.shown || this.barrenPages < BARREN_PAGES_MAX;
  }
}
