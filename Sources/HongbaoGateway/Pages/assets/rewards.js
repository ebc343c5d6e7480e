// Coupons, pendants and subsidies on the wallet page: a card for each, and using one (WL-1, ID-1).

import { backoffMs, pause } from "./api.js";
import { formatFen } from "./money.js";
import { explain, has, locale, text } from "./strings.js";
import { announce, element, icon } from "./view.js";

// Cards that are drawn at once: a person may have several hundred.
const PAGE_CARDS = 20;
// How long a reward that is still on its way is waited for, and how long the next wait may be at most.
const PATIENCE_MS = 10_000;
const PACE_MAX_MS = 3_000;
// Tries when the server or the network is in trouble.
const TROUBLED_TRIES = 3;
// The confirmation opens under the finger that asked for it: a second tap isn't meant for it.
const SECOND_TAP_MS = 300;
// What each shelf's cards say and do; `null`: nothing can be done here.
const WORDS = { coupons: "coupon", pendants: "pendant", subsidies: null };
const STATES = { processing: "processing", ready: "ready", available: "ready", used: "used", failed: "failed" };

const moment = { month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const momentFormat = new Intl.DateTimeFormat(locale, moment);
const pastFormat = new Intl.DateTimeFormat(locale, { ...moment, year: "numeric" });

function time(at) {
  const date = new Date(at);
  const format = date.getFullYear() === new Date().getFullYear() ? momentFormat : pastFormat;
  return element("time", { datetime: date.toISOString() }, format.format(date));
}

/** A reward as its card shows it. In the API coupons and pendants have an `id`, subsidies an `order`. */
function reading(reward) {
  const { id, order, kind = "subsidy", title, at, app, appName, amount, state, usedAt } = reward;
  return {
    id: String(id ?? order),
    kind: has(`reward.kind.${kind}`) ? text(`reward.kind.${kind}`) : text("reward.kind.other"),
    title: String(title ?? id ?? order ?? ""),
    place: appName ?? app ?? null,
    at,
    amount,
    state: STATES[state] ?? "failed",
    usedAt,
  };
}

function isOpen(state) {
  return state === "ready" || state === "processing";
}

/** A request that's safe to repeat, tried until the reward has arrived, while a person can be asked to wait. */
async function askPatiently(request, onWait) {
  const until = Date.now() + PATIENCE_MS;
  for (let n = 0; ; n += 1) {
    try {
      return await request();
    } catch (problem) {
      const waitMs = Math.max(problem.retryAfterMs, backoffMs(n, undefined, PACE_MAX_MS));
      const isComing = problem.code === "try_again";
      const isLast = !problem.retryable || (!isComing && n + 1 >= TROUBLED_TRIES);
      if (isLast || Date.now() + waitMs > until) throw problem;
      onWait(problem);
      await pause(waitMs);
    }
  }
}

// ---- Asking whether it's meant

/** The dialog before a reward is used: that can't be taken back. */
export class UseDialog {
  constructor(signal) {
    this.dialog = document.getElementById("use");
    this.confirmButton = document.getElementById("use-confirm");
    this.confirmButton.addEventListener("click", () => this.confirm(), { signal });
    for (const button of this.dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.dialog.close(), { signal });
    }
    signal.addEventListener("abort", () => this.dialog.close());
  }

  /** Answers whether the person wants it. One question at a time: while one is open, another is answered with no. */
  async ask(word, reward) {
    if (this.dialog.open) return false;
    this.isConfirmed = false;
    const fill = (id, sentence) => (document.getElementById(id).textContent = sentence);
    fill("use-title", text(`use.${word}.title`));
    fill("use-what", reward.title);
    fill("use-kind", reward.place === null ? reward.kind : text("use.kind", { kind: reward.kind, app: reward.place }));
    fill("use-hint", text(`use.${word}.hint`));
    fill("use-confirm", text(`use.${word}.confirm`));
    this.confirmButton.setAttribute("aria-disabled", "true");
    const ready = setTimeout(() => this.confirmButton.setAttribute("aria-disabled", "false"), SECOND_TAP_MS);
    this.dialog.showModal();
    // Not the button: whoever keeps Enter down would confirm unasked.
    document.getElementById("use-title").focus();
    await new Promise((closed) => this.dialog.addEventListener("close", closed, { once: true }));
    clearTimeout(ready);
    return this.isConfirmed;
  }

  confirm() {
    if (this.confirmButton.getAttribute("aria-disabled") === "true") return;
    this.isConfirmed = true;
    this.dialog.close();
  }
}

// ---- A card

class Card {
  constructor(reward, shelf) {
    Object.assign(this, { reward, shelf, isAsked: false, isBusy: false, isUnsure: false });
    Object.assign(this, { progress: "", problem: "", note: "" });
  }

  /** What the server says now; only that what was used stays used, whichever answer comes last. */
  update(reward) {
    if (this.reward.state !== "used" || reward.state === "used") this.reward = reward;
    if (!isOpen(this.reward.state)) this.problem = "";
    if (this.parts !== undefined) this.draw();
  }

  /** Built when the card is to be seen, not before. */
  get node() {
    if (this.parts === undefined) this.build();
    return this.parts.node;
  }

  build() {
    const { id, kind, title, place, at, amount } = this.reward;
    const state = element("p", { class: "reward-state", tabindex: "-1" });
    const problem = element("p", { class: "reward-problem", id: `problem-${id}` });
    const what = element(
      "div",
      { class: "reward-what" },
      element("h3", { class: "reward-title" }, title),
      element(
        "p",
        { class: "reward-facts" },
        element("span", { class: "reward-kind" }, kind),
        place === null ? null : element("span", {}, place),
        time(at),
      ),
      state,
    );
    const { name, word } = this.shelf;
    const action =
      word === null ? element("span", { class: "reward-amount" }, formatFen(amount)) : this.buildButton(word, title);
    const node = element(
      "li",
      { class: `reward reward-${name}`, "data-reward": id, tabindex: "-1" },
      element("span", { class: "reward-icon" }, icon(name)),
      what,
      element("div", { class: "reward-action" }, action),
      problem,
    );
    this.parts = { node, state, problem, action };
    this.draw();
  }

  buildButton(word, title) {
    const label = text("use.label", { verb: text(`use.${word}`), title });
    const button = element("button", {
      type: "button",
      class: "gold",
      "aria-label": label,
      "aria-haspopup": "dialog",
      "aria-describedby": `problem-${this.reward.id}`,
    });
    button.addEventListener("click", () => this.tap());
    return button;
  }

  draw() {
    const { node, state, problem, action } = this.parts;
    const { state: name } = this.reward;
    const { word } = this.shelf;
    node.dataset.state = name;
    state.replaceChildren(...this.stateLine(name));
    problem.textContent = this.problem;
    problem.hidden = this.problem === "";
    if (word === null) return;
    const hadFocus = document.activeElement === action;
    action.parentElement.hidden = !isOpen(name);
    action.setAttribute("aria-disabled", String(this.isBusy));
    action.textContent = text(this.isBusy ? `use.${word}.busy` : `use.${word}`);
    // The button is gone: whoever stood on it goes on from what became of it.
    if (hadFocus && !isOpen(name)) state.focus({ preventScroll: true });
  }

  stateLine(name) {
    if (this.isBusy) return [this.progress];
    const words = `reward.state.${this.shelf.word ?? "subsidy"}.${name}`;
    const parts = [element("span", { class: `chip chip-${name}` }, text(words))];
    if (name === "used" && this.reward.usedAt !== undefined) parts.push(time(this.reward.usedAt));
    if (this.note !== "") parts.push(element("span", {}, this.note));
    return parts;
  }

  async tap() {
    if (this.isAsked || this.isBusy) return;
    this.isAsked = true;
    const isMeant = await this.shelf.confirm(this.reward);
    this.isAsked = false;
    if (isMeant && isOpen(this.reward.state) && !this.shelf.isOver) await this.use();
  }

  async use() {
    Object.assign(this, { isBusy: true, problem: "", progress: text(`use.${this.shelf.word}.busy`) });
    this.draw();
    announce(this.progress);
    let answer;
    try {
      answer = await askPatiently(
        () => this.shelf.use(this.reward.id),
        (problem) => this.wait(problem),
      );
    } catch (problem) {
      if (!this.shelf.isOver && !this.shelf.onProblem(problem)) this.fail(problem);
      return;
    }
    if (!this.shelf.isOver) this.succeed(answer);
  }

  wait(problem) {
    if (this.shelf.isOver) return;
    this.isUnsure ||= problem.outcomeUnknown;
    const sentence = text(problem.code === "try_again" ? `use.${this.shelf.word}.coming` : "use.again");
    if (sentence !== this.progress) announce(sentence);
    this.progress = sentence;
    this.draw();
  }

  succeed({ usedAt, replayed }) {
    this.isBusy = false;
    // A repeat of this page's own request isn't news to anybody.
    this.note = replayed === true && !this.isUnsure ? text("use.before") : "";
    this.reward = { ...this.reward, state: "used", usedAt };
    this.draw();
    const { word } = this.shelf;
    announce([this.reward.title, text(`reward.state.${word}.used`), this.note].filter((part) => part !== "").join(" "));
  }

  fail(problem) {
    this.isBusy = false;
    this.isUnsure ||= problem.outcomeUnknown;
    if (problem.code === "reward_refused") this.reward = { ...this.reward, state: "failed" };
    this.problem = this.sentence(problem);
    this.draw();
    announce(this.problem);
  }

  sentence(problem) {
    if (problem.outcomeUnknown) return text(problem.status === 0 ? "use.unsure.network" : "use.unsure.server");
    return has(`use.error.${problem.code}`) ? text(`use.error.${problem.code}`) : explain(problem);
  }
}

// ---- All of one sort

/** The cards of one tab: what can be used first, then what's over, each the newest first. */
export class Shelf {
  /** `use(id)` asks the server; `confirm(word, reward)` asks the person; `onProblem` may take what failed. */
  constructor(name, { use, confirm, onProblem, signal }) {
    Object.assign(this, { name, use, onProblem, word: WORDS[name], isOver: false, drawn: PAGE_CARDS });
    this.confirm = (reward) => confirm(this.word, reward);
    this.cards = new Map();
    this.order = [];
    this.list = document.getElementById(`${name}-list`);
    this.emptyNote = document.getElementById(`${name}-empty`);
    this.moreButton = document.getElementById(`${name}-more`);
    this.moreButton.addEventListener("click", () => this.more(true), { signal });
    // More cards are drawn before the last one is reached; the button is for whoever gets there all the same.
    this.observer = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.more(false), {
      rootMargin: "400px 0px",
    });
    this.clear();
    signal.addEventListener("abort", () => this.end());
  }

  end() {
    this.isOver = true;
    this.observer.disconnect();
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.emptyNote.hidden = true;
    this.moreButton.hidden = true;
  }

  show(rewards, isMissing) {
    const rows = (Array.isArray(rewards) ? rewards : []).map(reading);
    const known = this.cards;
    this.cards = new Map();
    for (const row of rows) {
      const card = known.get(row.id) ?? new Card(row, this);
      card.update(row);
      this.cards.set(row.id, card);
    }
    const cards = [...this.cards.values()];
    // The server's own order within each part: the newest first.
    const open = cards.filter((card) => isOpen(card.reward.state));
    this.order = [...open, ...cards.filter((card) => !isOpen(card.reward.state))];
    this.draw();
    this.emptyNote.hidden = rows.length > 0;
    this.emptyNote.querySelector("strong").textContent = text(isMissing ? "absent" : `empty.${this.name}`);
    this.emptyNote.querySelector("span").textContent = text(isMissing ? "absent.hint" : `empty.${this.name}.hint`);
  }

  draw() {
    const wanted = this.order.slice(0, this.drawn).map((card) => card.node);
    const shown = [...this.list.children];
    if (shown.length <= wanted.length && shown.every((node, index) => node === wanted[index])) {
      this.list.append(...wanted.slice(shown.length));
    } else {
      const focused = document.activeElement;
      this.list.replaceChildren(...wanted);
      // What moves loses the keyboard's focus.
      if (this.list.contains(focused)) focused.focus({ preventScroll: true });
    }
    const left = this.order.length - wanted.length;
    this.moreButton.hidden = left === 0;
    this.moreButton.textContent = text("rewards.more", { count: left });
    // Observed anew, so that a window which is still not full is heard of again.
    this.observer.unobserve(this.moreButton);
    if (left > 0) this.observer.observe(this.moreButton);
  }

  more(isTapped) {
    const first = this.order[this.drawn];
    if (first === undefined) return;
    this.drawn += PAGE_CARDS;
    this.draw();
    if (!isTapped) return;
    first.node.focus({ preventScroll: true });
    announce(text("rewards.more.drawn", { count: this.list.childElementCount, total: this.order.length }));
  }
}
