// Withdrawing: amount, confirmation, and a result that is followed until it's final.
//
// The client chooses the withdrawal's id and keeps it, with the amount, until a final answer. So however often a
// request has to be repeated, across reloads too, the money is withdrawn once.

import { backoffMs, pause } from "./api.js";
import { formatFen, parseYuan, plainYuan } from "./money.js";
import { explain, text } from "./strings.js";
import { announce, RetryControl } from "./view.js";

const ID_BYTES = 16;
const POLL_BASE_MS = 700;
const POLL_CAP_MS = 15_000;
const POLL_FOR_MS = 180_000;
// After this long a request that the server knows nothing of isn't on its way any more.
const LOST_AFTER_MS = 60_000;

function freshID() {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return `w-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function isFinal(state) {
  return state === "paid" || state === "failed";
}

export class WithdrawDialog {
  /**
   * `api` calls the server, `open` is the cell that keeps the open withdrawal, `balance()` is what is shown now
   * (`null` if unknown), `onChanged` hears that money moved, `onProblem` may take a problem (an expired sign-in).
   */
  constructor({ api, open, balance, onChanged, onProblem }) {
    Object.assign(this, { api, open, balance, onChanged, onProblem });
    const find = (id) => document.getElementById(id);
    this.dialog = find("withdraw");
    this.panes = ["form", "pending", "stuck", "result"].map((name) => find(`withdraw-${name}`));
    this.input = find("withdraw-amount");
    this.error = find("withdraw-error");
    this.submitButton = find("withdraw-submit");
    this.resumeBar = find("resume");
    this.lookButton = find("withdraw-look");
    this.listeners = new AbortController();
    this.stuck = new RetryControl(find("withdraw-stuck-problem"), () => this.repeat(), this.listeners.signal);
    this.following = 0;
    this.hasUnseenResult = false;
    this.listen(find);
    this.pane("form");
  }

  listen(find) {
    const on = (node, event, act) => node.addEventListener(event, act, { signal: this.listeners.signal });
    on(find("withdraw-form"), "submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    on(find("withdraw-all"), "click", () => {
      this.input.value = plainYuan(this.balance() ?? 0) ?? "";
      this.amountChanged();
      this.input.focus();
    });
    on(this.input, "input", () => this.amountChanged());
    on(find("withdraw-abandon"), "click", () => this.abandon());
    on(find("withdraw-again"), "click", () => this.showForm());
    on(this.lookButton, "click", () => this.follow());
    for (const button of this.dialog.querySelectorAll("[data-close]")) on(button, "click", () => this.dialog.close());
  }

  /** Ends this person's dialog for good. */
  dispose() {
    this.following += 1;
    this.listeners.abort();
    this.stuck.hide();
    this.resumeBar.hidden = true;
    this.dialog.close();
  }

  /** Opens the form, or what became of the withdrawal that is still open. */
  show() {
    const attempt = this.open.read();
    if (!this.dialog.open) this.dialog.showModal();
    if (this.hasUnseenResult) {
      this.hasUnseenResult = false;
      this.pane("result");
    } else if (attempt === null) this.showForm();
    else if (this.dialog.dataset.pane === "form") this.resume();
    else this.pane(this.dialog.dataset.pane);
  }

  showForm(sentence = "") {
    this.pane("form");
    const balance = this.balance();
    document.getElementById("withdraw-available").textContent = text("withdraw.available", {
      amount: formatFen(balance),
    });
    document.getElementById("withdraw-all").disabled = balance === null || balance <= 0;
    this.amountChanged();
    this.refuse(sentence);
    if (this.dialog.open) this.input.focus();
  }

  pane(name) {
    for (const pane of this.panes) pane.hidden = pane.id !== `withdraw-${name}`;
    this.dialog.dataset.pane = name;
    const attempt = this.open.read();
    for (const node of this.dialog.querySelectorAll("[data-attempt]")) {
      node.textContent = attempt === null ? "" : formatFen(attempt.amount);
    }
    this.resumeBar.hidden = attempt === null;
    if (attempt !== null) {
      const sentence = text("withdraw.resume", { amount: formatFen(attempt.amount) });
      document.getElementById("resume-text").textContent = sentence;
    }
    if (name === "form") return;
    const heading = document.getElementById(`withdraw-${name}-title`);
    if (this.dialog.open) heading.focus();
  }

  amountChanged() {
    const { fen } = parseYuan(this.input.value);
    this.submitButton.textContent =
      fen === undefined ? text("withdraw.submit") : text("withdraw.submit.amount", { amount: formatFen(fen) });
    this.refuse("");
  }

  refuse(sentence) {
    this.error.textContent = sentence;
    this.input.setAttribute("aria-invalid", String(sentence !== ""));
  }

  async submit() {
    if (this.submitButton.getAttribute("aria-disabled") === "true") return;
    const { fen, refusal } = parseYuan(this.input.value);
    const balance = this.balance();
    if (refusal !== undefined || (balance !== null && fen > balance)) {
      const above = () => text("amount.above", { amount: formatFen(balance) });
      this.refuse(refusal === undefined ? above() : text(`amount.${refusal}`));
      this.input.focus();
      return;
    }
    this.open.write({ id: freshID(), amount: fen, sentAt: 0, unsure: false });
    this.submitButton.setAttribute("aria-disabled", "true");
    this.submitButton.textContent = text("withdraw.submitting");
    await this.post();
    this.submitButton.setAttribute("aria-disabled", "false");
  }

  /** Sends the open withdrawal, for the first time or again. */
  async post() {
    const attempt = { ...this.open.read(), sentAt: Date.now() };
    // Until an answer says otherwise the request may have arrived.
    this.open.write({ ...attempt, unsure: true });
    try {
      this.take(await this.api.withdraw(attempt.id, attempt.amount));
    } catch (problem) {
      this.open.write({ ...attempt, unsure: attempt.unsure || problem.outcomeUnknown });
      if (this.listeners.signal.aborted || this.onProblem(problem)) return;
      if (problem.retryable || problem.outcomeUnknown) this.showStuck(problem);
      else this.refused(problem);
    }
  }

  /** A final refusal: nothing was withdrawn, the next try is a new withdrawal. */
  refused(problem) {
    this.open.write(null);
    this.showForm(explain(problem));
    if (problem.code === "insufficient_balance") this.onChanged();
  }

  showStuck(problem) {
    const word = this.open.read().unsure ? "withdraw.stuck" : "withdraw.unsent";
    document.getElementById("withdraw-stuck-title").textContent = text(word);
    this.pane("stuck");
    this.stuck.show(problem);
  }

  async repeat() {
    this.pane("pending");
    await this.post();
  }

  /** Asks what the server knows of the open withdrawal: after a reload, or before it's given up. */
  async look() {
    const attempt = this.open.read();
    try {
      this.take(await this.api.withdrawal(attempt.id));
      return "known";
    } catch (problem) {
      if (this.listeners.signal.aborted || this.onProblem(problem)) return "taken";
      const isUnknown = problem.status === 404 && problem.code === "not_found";
      if (isUnknown && (!attempt.unsure || Date.now() - attempt.sentAt > LOST_AFTER_MS)) return "lost";
      this.showStuck(problem);
      return isUnknown ? "early" : "unclear";
    }
  }

  async abandon() {
    const found = await this.look();
    if (found === "lost") {
      this.open.write(null);
      this.showForm();
    } else if (found === "early") {
      this.stuck.sentence.textContent = text("withdraw.abandon.early");
    }
  }

  /** Takes up a withdrawal that an earlier visit left without a final answer. */
  async resume() {
    if (this.open.read() === null) return;
    this.pane("pending");
    if ((await this.look()) !== "lost") return;
    this.open.write(null);
    this.showForm();
  }

  take(withdrawal) {
    if (this.listeners.signal.aborted) return;
    if (isFinal(withdrawal.state)) {
      this.showResult(withdrawal.state);
      return;
    }
    this.open.write({ ...this.open.read(), unsure: true });
    this.onChanged();
    this.follow();
  }

  /** Polls until the withdrawal is final, ever more slowly, and after a failure more slowly still. */
  async follow() {
    this.following += 1;
    const mine = this.following;
    const { id } = this.open.read();
    this.showPending(false);
    const until = Date.now() + POLL_FOR_MS;
    for (let n = 0; Date.now() < until; n += 1) {
      await pause(backoffMs(n * 0.7, POLL_BASE_MS, POLL_CAP_MS));
      if (mine !== this.following) return;
      try {
        const { state } = await this.api.withdrawal(id);
        if (mine !== this.following) return;
        if (isFinal(state)) return void this.showResult(state);
      } catch (problem) {
        if (mine !== this.following || this.onProblem(problem)) return;
        n += 1;
        await pause(problem.retryAfterMs);
      }
    }
    this.showPending(true);
  }

  showPending(isSlow) {
    this.pane("pending");
    const word = isSlow ? "withdraw.slow" : "withdraw.pending";
    document.getElementById("withdraw-pending-title").textContent = text(word);
    document.getElementById("withdraw-pending-hint").textContent = text(`${word}.hint`);
    this.lookButton.hidden = !isSlow;
    announce(text(word));
  }

  showResult(state) {
    this.following += 1;
    const { amount } = this.open.read();
    this.dialog.dataset.result = state;
    document.getElementById("withdraw-result-title").textContent = text(`withdraw.${state}`);
    document.getElementById("withdraw-result-hint").textContent = text(`withdraw.${state}.hint`);
    document.getElementById("withdraw-again").hidden = state !== "failed";
    // A withdrawal that ended before the dialog was opened still has something to say in it.
    this.hasUnseenResult = !this.dialog.open;
    this.pane("result");
    this.open.write(null);
    this.resumeBar.hidden = true;
    this.input.value = "";
    announce(`${text(`withdraw.${state}`)} ${formatFen(amount)}`);
    this.onChanged();
  }
}
