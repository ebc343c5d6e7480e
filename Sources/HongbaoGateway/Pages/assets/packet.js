// The page of one red packet: cover, open, result, everybody's luck, and the check of the split (RP-3, RP-7, RP-10).

import { packetApi, pause } from "./api.js";
import { formatFen } from "./money.js";
import { absorbFragment, commitments, paymentPages, session } from "./session.js";
import { canCheck, checkSplit } from "./split.js";
import { explain, has, locale, text } from "./strings.js";
import { announce, element, icon, RetryControl, shortID, signInAddress, startPage } from "./view.js";

const POLLS_MAX = 10;
// Shorter waits than this would only be more of the same crowd.
const POLL_MIN_MS = 500;
const OPENING_MS = 900;
const PAID_POLL_MS = 2_000;
const PAID_POLLS_MAX = 300;
const CHECK_PAGE = 1_000;
const CHECK_CLAIMS_MAX = 20_000;

const find = (id) => document.getElementById(id);
const id = location.pathname.split("/")[2] ?? "";
const timeFormat = new Intl.DateTimeFormat(locale, {
  month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** The sentence for a problem, as it is meant here. */
function explainHere(problem) {
  return has(`packet.error.${problem.code}`) ? text(`packet.error.${problem.code}`) : explain(problem);
}

class PacketPage {
  constructor({ jwt, person }) {
    this.api = packetApi({ jwt });
    this.person = person;
    this.packet = null;
    this.reveal = null;
    this.isOpening = false;
    this.loadRetry = new RetryControl(find("cover-problem"), () => this.retry());
    this.detailsRetry = new RetryControl(find("details-problem"), () => this.more());
    this.checkRetry = new RetryControl(find("check-problem"), () => this.check());
    find("open").addEventListener("click", () => this.open());
    find("peek").addEventListener("click", () => this.showResult());
    find("more").addEventListener("click", () => this.more());
    find("check-run").addEventListener("click", () => this.check());
  }

  async start() {
    await this.load();
  }

  /** What failed last is what is tried again: looking, or opening. */
  retry() {
    if (this.packet === null) this.load();
    else this.open();
  }

  async load() {
    this.loadRetry.hide();
    try {
      this.take(await this.api.packet(id));
      this.loadRetry.succeeded();
    } catch (problem) {
      this.refuse(problem);
    }
  }

  /** An expired sign-in, a refusal with its sentence, or a failure that can be tried again. */
  refuse(problem) {
    if (problem.status === 401) {
      session.clear();
      showSignIn(text("signin.expired"));
    } else if (problem.retryable || problem.status === 0 || problem.status >= 500) {
      this.loadRetry.show(problem);
      this.loadRetry.sentence.textContent = explainHere(problem);
      if (this.packet === null) showCover("failed", "");
    } else {
      showCover("over", explainHere(problem));
      find("peek").hidden = !["exhausted", "expired"].includes(problem.code);
    }
  }

  take(packet) {
    this.packet = packet;
    commitments.keep(packet.packet, packet.commitment);
    const isMine = packet.sender === this.person;
    find("sender").textContent = isMine ? text("packet.mine") : text("packet.from", { who: shortID(packet.sender) });
    find("packet-title").textContent = packet.greeting || text("packet.greeting");
    find("facts").textContent = text(`packet.facts.${packet.split}`, { count: packet.count });
    for (const node of document.querySelectorAll("[data-kind-only]")) {
      node.hidden = node.dataset.kindOnly !== packet.kind;
    }
    if (packet.mine !== undefined) return this.showResult();
    switch (packet.state) {
      case "open":
        return showCover("closed", text("packet.hint"));
      case "awaiting_payment":
        return isMine ? this.showPayment() : showCover("over", text("packet.error.not_paid"));
      case "cancelled":
        return showCover("over", text("packet.cancelled"));
      default:
        showCover("over", explainHere({ code: packet.state === "finished" ? "exhausted" : "expired" }));
        find("peek").hidden = false;
    }
  }

  /** The sender goes to the cashier on another tab; this one waits for what comes of it. */
  async showPayment() {
    const address = paymentPages.of(id);
    showCover("unpaid", text(address === null ? "packet.unpaid.elsewhere" : "packet.unpaid"));
    find("pay").hidden = address === null;
    if (address !== null) find("pay").href = address;
    if (this.isWaiting) return;
    this.isWaiting = true;
    for (let n = 0; n < PAID_POLLS_MAX && this.packet.state === "awaiting_payment"; n += 1) {
      await pause(PAID_POLL_MS);
      try {
        const packet = await this.api.packet(id);
        if (packet.state !== "awaiting_payment") this.take(packet);
      } catch (problem) {
        if (!problem.retryable) return this.refuse(problem);
      }
    }
  }

  // ---- Opening

  async open() {
    if (this.isOpening) return;
    this.isOpening = true;
    this.loadRetry.hide();
    find("open").setAttribute("aria-disabled", "true");
    showCover("opening", text("packet.opening"));
    announce(text("packet.opening"));
    const began = Date.now();
    try {
      const share = await this.claim();
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (!still) await pause(Math.max(0, OPENING_MS - (Date.now() - began)));
      this.packet.mine = { amount: share.amount };
      this.packet.remaining.count = share.sharesLeft;
      this.loadRetry.succeeded();
      announce(text("packet.announce", { amount: formatFen(share.amount), left: share.sharesLeft }));
      this.showResult();
    } catch (problem) {
      showCover("closed", text("packet.hint"));
      this.refuse(problem);
    }
    this.isOpening = false;
    find("open").setAttribute("aria-disabled", "false");
  }

  /** Asks for a share; while too many are at it, again when told, ten times at most (RP-7). */
  async claim() {
    for (let n = 1; ; n += 1) {
      try {
        return await this.api.claim(id);
      } catch (problem) {
        if (problem.code !== "try_again" || n > POLLS_MAX) throw problem;
        find("cover-hint").textContent = text("packet.crowd", { n, max: POLLS_MAX });
        await pause(Math.max(problem.retryAfterMs, POLL_MIN_MS) * (1 + Math.random() / 4));
      }
    }
  }

  // ---- Result and details

  showResult() {
    const { mine, count, remaining, kind, state } = this.packet;
    find("cover").hidden = true;
    find("result").hidden = false;
    document.body.dataset.view = "result";
    find("mine").hidden = mine === undefined;
    find("missed").hidden = mine !== undefined;
    if (mine === undefined) {
      find("missed").textContent = find("cover-hint").textContent;
    } else {
      find("mine-amount").textContent = formatFen(mine.amount);
      find("mine-where").textContent = text(`packet.where.${kind}`);
    }
    const claimed = count - remaining.count;
    find("shares").textContent = text(remaining.count > 0 && state === "open" ? "packet.left" : "packet.claimed", {
      left: remaining.count, claimed, count,
    });
    find("result-from").textContent = find("sender").textContent;
    find("result-greeting").textContent = find("packet-title").textContent;
    find("result-title").focus();
    this.restart();
  }

  restart() {
    Object.assign(this, { cursor: undefined, finished: false, shown: new Set() });
    find("luck").replaceChildren();
    this.more();
  }

  async more() {
    if (this.busy || this.finished) return;
    this.busy = true;
    this.detailsRetry.hide();
    find("more").hidden = true;
    find("luck").setAttribute("aria-busy", "true");
    try {
      this.append(await this.api.claims(id, this.cursor));
      this.detailsRetry.succeeded();
    } catch (problem) {
      if (problem.status === 401) this.refuse(problem);
      else this.detailsRetry.show(problem);
    }
    find("luck").setAttribute("aria-busy", "false");
    this.busy = false;
  }

  append(page) {
    const isFirst = this.shown.size === 0;
    const fresh = page.claims.filter((claim) => !this.shown.has(claim.position));
    for (const claim of fresh) this.shown.add(claim.position);
    find("luck").append(...fresh.map((claim) => this.row(claim, page.reveal !== undefined)));
    this.cursor = page.next;
    this.finished = page.next === undefined;
    find("more").hidden = this.finished;
    find("nobody").hidden = this.shown.size > 0;
    if (!isFirst) announce(text("packet.more.loaded", { count: this.shown.size }));
    if (page.reveal === undefined) return;
    this.reveal = page.reveal;
    find("check").hidden = false;
    find("check-run").hidden = !canCheck;
    find("check-cannot").hidden = canCheck;
    find("check-seed").textContent = page.reveal.seed;
    find("check-commitment").textContent = page.reveal.commitment;
  }

  row({ person, amount, at, luckiest }, isOver) {
    const when = new Date(at);
    const isMine = person === this.person;
    const isBest = luckiest && isOver && this.packet.split === "lucky";
    return element(
      "li",
      { class: `entry${isMine ? " is-mine" : ""}${isBest ? " is-best" : ""}`, "data-amount": amount },
      element(
        "span",
        { class: "entry-what" },
        element("span", { class: "entry-title" }, isMine ? text("packet.me") : shortID(person)),
        element("time", { class: "entry-when", datetime: when.toISOString() }, timeFormat.format(when)),
      ),
      element(
        "span",
        { class: "entry-amount" },
        formatFen(amount),
        isBest ? element("span", { class: "crown" }, icon("crown"), text("packet.luckiest")) : null,
      ),
    );
  }

  // ---- The check

  async check() {
    const run = find("check-run");
    if (run.getAttribute("aria-disabled") === "true") return;
    run.setAttribute("aria-disabled", "true");
    this.checkRetry.hide();
    this.verdict("running", text("check.running"));
    try {
      const claims = await this.claimsToCheck();
      const { isCommitted, faults, holds } = await checkSplit(this.reveal, claims, commitments.of(id));
      const isWhole = claims.length === this.packet.count - this.packet.remaining.count || !holds;
      if (holds) this.verdict("holds", text(isWhole ? "check.holds" : "check.partly", { count: claims.length }));
      else if (!isCommitted) this.verdict("broken", text("check.other"));
      else this.verdict("broken", text("check.faults", { count: faults.length, position: faults[0].position + 1 }));
      announce(find("verdict").textContent);
    } catch (problem) {
      this.verdict("none", "");
      if (problem.name !== "Problem") this.verdict("broken", text("check.unreadable"));
      else if (problem.status === 401) this.refuse(problem);
      else this.checkRetry.show(problem);
    }
    run.setAttribute("aria-disabled", "false");
  }

  async claimsToCheck() {
    const claims = [];
    let cursor;
    do {
      const page = await this.api.claims(id, cursor, CHECK_PAGE);
      claims.push(...page.claims);
      cursor = page.next;
    } while (cursor !== undefined && claims.length < CHECK_CLAIMS_MAX);
    // What was claimed meanwhile is counted too: nothing can be, once there is a seed to see.
    this.packet = { ...this.packet, ...(await this.api.packet(id)) };
    return claims;
  }

  verdict(state, sentence) {
    find("verdict").dataset.state = state;
    find("verdict").textContent = sentence;
    find("verdict").hidden = sentence === "";
  }
}

/** What the cover offers depends on its state: `closed` can be opened, `unpaid` be paid, the others only be read. */
function showCover(state, sentence) {
  document.body.dataset.view = "cover";
  find("cover").hidden = false;
  find("result").hidden = true;
  find("cover").dataset.state = state;
  find("cover-hint").textContent = sentence;
  find("open").hidden = state !== "closed" && state !== "opening";
  for (const name of ["pay", "peek", "signin"]) find(name).hidden = true;
}

function showSignIn(sentence = "") {
  showCover("over", sentence === "" ? text("packet.signin") : sentence);
  find("sender").textContent = "";
  find("packet-title").textContent = text("packet.title");
  find("signin").href = signInAddress();
  find("signin").hidden = false;
  find("signin").focus();
}

let current = null;

function begin() {
  const kept = session.get();
  if (kept === null) return showSignIn();
  if (current !== null) location.reload();
  current = new PacketPage(kept);
  current.start();
}

startPage("packet.title");
window.addEventListener("hashchange", () => absorbFragment(null) && begin());
absorbFragment(null);
begin();
