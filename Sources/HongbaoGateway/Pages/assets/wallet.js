// The wallet page: who is signed in, what they have, and where to go from here (WL-1 to WL-5).

import { demo, walletApi } from "./api.js";
import { formatFen } from "./money.js";
import { Shelf, UseDialog } from "./rewards.js";
import { absorbFragment, KeptTokens, openWithdrawal, session } from "./session.js";
import { Statement } from "./statement.js";
import { explain, has, language, text } from "./strings.js";
import { announce, element, RetryControl, shortID, startPage } from "./view.js";
import { WithdrawDialog } from "./withdraw.js";

const WITHDRAW_ROUTE = "#withdraw";
const REWARD_LISTS = ["coupons", "pendants", "subsidies"];
// Rounds of dropping refused tokens in one load; what is still refused then waits for the next.
const REFUSAL_ROUNDS_MAX = 5;

const campaignAsked = new URLSearchParams(location.search).get("campaign");
const find = (id) => document.getElementById(id);

/** Goes back to the page of ours that asked for the sign-in; answers whether there is one. */
function returnToAsker() {
  const query = new URLSearchParams(location.search);
  const next = query.get("next") ?? "";
  if (!/^\/red-packets\/(new|[1-9][0-9]{0,19})$/.test(next)) return false;
  location.replace(query.get("lang") === "en" ? `${next}?lang=en` : next);
  return true;
}

// ---- One person's wallet

class Wallet {
  constructor({ jwt, person, campaign }) {
    this.campaign = campaign;
    this.api = walletApi({ jwt, campaign });
    this.balance = null;
    this.missing = { wallet: [], statement: [] };
    this.isOver = false;
    this.setPerson(person);
    this.listeners = new AbortController();
    this.retry = new RetryControl(find("wallet-problem"), () => this.refresh(), this.listeners.signal);
    this.statement = statement;
    statement.load = (cursor, limit) => this.api.statement(cursor, limit);
    statement.onProblem = (problem) => this.takeProblem(problem);
    statement.onMissing = (missing) => this.setMissing("statement", missing);
    const dialog = new UseDialog(this.listeners.signal);
    this.shelves = REWARD_LISTS.map(
      (name) =>
        new Shelf(name, {
          use: (id) => this.api.useReward(id),
          confirm: (word, reward) => dialog.ask(word, reward),
          onProblem: (problem) => this.takeProblem(problem),
          signal: this.listeners.signal,
        }),
    );
  }

  setPerson(person) {
    if (person === null || this.person === person) return;
    this.person = person;
    if (find("who").textContent === "") find("who").textContent = shortID(person);
    this.tokens = new KeptTokens(this.campaign, person);
    this.withdraw?.dispose();
    this.withdraw = new WithdrawDialog({
      api: this.api,
      open: openWithdrawal(this.campaign, person),
      balance: () => this.balance,
      onChanged: () => this.refresh(),
      onProblem: (problem) => this.takeProblem(problem),
    });
  }

  async start() {
    await this.refresh();
    if (this.isOver || this.withdraw === undefined) return;
    await this.withdraw.resume();
    if (location.hash !== WITHDRAW_ROUTE) return;
    // Opened by its address: give the back button a page of ours to go back to.
    history.replaceState(null, "", location.pathname + location.search);
    openWithdraw();
  }

  end() {
    this.isOver = true;
    this.listeners.abort();
    this.statement.stop();
    this.withdraw?.dispose();
    this.retry.hide();
  }

  /** Loads balance and statement again; a call during a load makes one more load, not many. */
  async refresh() {
    if (this.loading) {
      this.again = true;
      return;
    }
    this.loading = true;
    do {
      this.again = false;
      const wallet = this.loadWallet();
      // Tokens that the server hasn't seen yet are in the statement only after it has.
      if (this.tokens?.hasNew) await wallet;
      if (!this.isOver) await Promise.all([wallet, this.statement.reload()]);
    } while (this.again && !this.isOver);
    this.loading = false;
  }

  async loadWallet() {
    find("hero").setAttribute("aria-busy", "true");
    this.retry.hide();
    if (find("wallet").dataset.loaded === "failed") find("wallet").dataset.loaded = "false";
    try {
      const wallet = await this.fetchWallet();
      if (this.isOver) return;
      this.setPerson(wallet.person ?? null);
      this.show(wallet);
      this.retry.succeeded();
    } catch (problem) {
      if (this.isOver || this.takeProblem(problem)) return;
      this.retry.show(problem);
      if (find("wallet").dataset.loaded === "false") {
        find("wallet").dataset.loaded = "failed";
        for (const shelf of this.shelves) if (shelf.order.length === 0) shelf.show([], true);
      }
    }
    find("hero").setAttribute("aria-busy", "false");
  }

  /** The wallet, merged by the server with the tokens that this device holds. Refused ones are dropped. */
  async fetchWallet() {
    for (let round = 0; round < REFUSAL_ROUNDS_MAX && this.tokens !== undefined; round += 1) {
      const tokens = this.tokens.list();
      if (tokens.length === 0) break;
      try {
        const wallet = await this.api.walletWith(tokens);
        const refused = (wallet.refused ?? []).map(({ index }) => tokens[index]);
        this.tokens.drop(refused);
        this.tokens.markAccepted(tokens);
        return wallet;
      } catch (problem) {
        if (problem.status === 413) break;
        const isAboutTokens = problem.code === "token_invalid" || /^tokens\b/.test(problem.param ?? "");
        if (!isAboutTokens) throw problem;
        const index = /\d+/.exec(problem.param ?? "")?.[0];
        this.tokens.drop(index in tokens ? [tokens[index]] : this.tokens.suspects());
      }
    }
    return this.api.wallet();
  }

  show(wallet) {
    const missing = wallet.complete === false ? wallet.missing ?? [] : [];
    // Without the ledger the sums are those of the newest grants alone: no figure is better than a wrong one.
    const sum = (fen) => (Number.isSafeInteger(fen) && !missing.includes("ledger") ? fen : null);
    this.balance = sum(wallet.balance);
    const amount = find("balance");
    amount.textContent = formatFen(this.balance);
    amount.dataset.length = amount.textContent.length > 13 ? "long" : "short";
    find("balance-unknown").hidden = this.balance !== null;
    find("income").textContent = formatFen(sum(wallet.income));
    this.setMissing("wallet", missing);
    // Without the ledger there are the newest alone: an empty list isn't known to be empty.
    const isMissing = (name) => missing.includes(name) || missing.includes("ledger");
    for (const shelf of this.shelves) shelf.show(wallet[shelf.name], isMissing(shelf.name));
    find("wallet").dataset.loaded = "true";
  }

  setMissing(source, names) {
    this.missing[source] = names.map(String);
    const known = (name) => (has(`missing.${name}`) ? name : "other");
    const parts = new Set([...this.missing.wallet, ...this.missing.statement].map(known));
    const sentence = [...parts].map((name) => text(`missing.${name}`)).join(text("missing.join"));
    find("missing").hidden = parts.size === 0;
    find("missing-text").textContent = parts.size === 0 ? "" : text("missing", { parts: sentence });
  }

  /** An expired sign-in ends this wallet, whoever notices it. */
  takeProblem(problem) {
    if (this.isOver) return true;
    if (problem.status !== 401) return false;
    signOut(text("signin.expired"));
    return true;
  }
}

// ---- Signing in and out

let current = null;
const statement = new Statement({});

function showView(name) {
  for (const view of ["signin", "wallet"]) find(view).hidden = view !== name;
  document.body.dataset.view = name;
}

function signOut(sentence = "") {
  current?.end();
  current = null;
  session.clear();
  if (location.hash === WITHDRAW_ROUTE) history.replaceState(null, "", location.pathname + location.search);
  showSignIn(sentence);
}

function enter({ jwt, person, campaign, name }) {
  current?.end();
  showView("wallet");
  find("wallet").dataset.loaded = "false";
  for (const id of ["balance", "income"]) find(id).textContent = "—";
  find("who").textContent = name ?? (person === null ? "" : shortID(person));
  find("total-link").href = `/totals/${encodeURIComponent(campaign)}${language === "en" ? "?lang=en" : ""}`;
  current = new Wallet({ jwt, person, campaign });
  current.start();
}

const signInRetry = new RetryControl(find("signin-problem"), () => showSignIn());
let demoCampaign = null;

async function showSignIn(sentence = "") {
  showView("signin");
  signInRetry.hide();
  find("signin-note").textContent = sentence;
  find("signin-loading").hidden = false;
  find("signin-form").hidden = true;
  try {
    const { campaign, apps } = await demo.apps(campaignAsked);
    demoCampaign = campaign;
    signInRetry.succeeded();
    showApps(apps);
    find("signin-form").hidden = false;
  } catch (problem) {
    if (problem.status !== 404) signInRetry.show(problem);
    else if (problem.code === "campaign_unknown") find("signin-note").textContent = explain(problem);
    find("signin-fromapp").hidden = problem.status !== 404;
  }
  find("signin-loading").hidden = true;
}

function showApps(apps) {
  if (find("apps").childElementCount > 0) return;
  find("apps").append(
    ...apps.map(({ id, name }) =>
      element(
        "label",
        { class: "app" },
        element("input", { type: "radio", name: "app", value: id, "data-name": name }),
        element("span", {}, name),
      ),
    ),
  );
}

async function signIn(event) {
  event.preventDefault();
  const form = find("signin-form");
  const button = find("signin-submit");
  const app = form.querySelector("input[name=app]:checked");
  const user = find("signin-user").value.trim();
  const error = find("signin-error");
  error.textContent = "";
  if (app === null) {
    error.textContent = text("signin.app.empty");
    form.querySelector("input[name=app]")?.focus();
    return;
  }
  if (user === "") {
    error.textContent = text("signin.user.empty");
    find("signin-user").focus();
    return;
  }
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  button.textContent = text("signin.busy");
  try {
    // People write phones in groups.
    const phone = find("signin-phone").value.replace(/[\s-]/g, "");
    const { person, jwt } = await demo.login(app.value, user, phone);
    const campaign = campaignAsked ?? demoCampaign;
    session.set({ jwt, person, campaign, name: `${app.dataset.name} · ${user}` });
    find("signin-phone").value = "";
    if (returnToAsker()) return;
    enter(session.get());
    find("hero-title").focus();
  } catch (problem) {
    const isField = problem.param === "user" || problem.param === "phone";
    error.textContent = isField ? text(`signin.${problem.param}.invalid`) : explain(problem);
    if (isField) find(`signin-${problem.param}`).focus();
  }
  button.setAttribute("aria-disabled", "false");
  button.textContent = text("signin.submit");
}

// ---- Tabs and routes

function listenToTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      find(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  };
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const places = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in places)) return;
      event.preventDefault();
      const next = tabs[(places[event.key] + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
}

function openWithdraw() {
  if (current?.withdraw === undefined) return void current?.refresh();
  // The phone's back button closes the dialog.
  if (location.hash !== WITHDRAW_ROUTE) history.pushState(null, "", WITHDRAW_ROUTE);
  current.withdraw.show();
}

function listenToRoutes() {
  const dialog = find("withdraw");
  find("withdraw-open").addEventListener("click", openWithdraw);
  find("resume-show").addEventListener("click", openWithdraw);
  dialog.addEventListener("close", () => location.hash === WITHDRAW_ROUTE && history.back());
  window.addEventListener("popstate", () => location.hash !== WITHDRAW_ROUTE && dialog.close());
  window.addEventListener("hashchange", () => absorbFragment(campaignAsked) && begin());
}

async function begin() {
  const kept = session.get();
  if (kept === null) return showSignIn();
  if (returnToAsker()) return;
  const campaign = campaignAsked ?? kept.campaign;
  if (campaign !== null) return enter({ ...kept, campaign });
  // Signed in by a link that names no campaign: the demo has one of its own.
  try {
    enter({ ...kept, campaign: (await demo.apps(null)).campaign });
  } catch (problem) {
    signOut(explain(problem.status === 404 ? { code: "campaign_unknown" } : problem));
  }
}

startPage("title");
find("signin-form").addEventListener("submit", signIn);
find("signout").addEventListener("click", () => signOut());
find("refresh").addEventListener("click", async () => {
  await current?.refresh();
  announce(`${text("balance")} ${find("balance").textContent}`);
});
listenToTabs();
listenToRoutes();
absorbFragment(campaignAsked);
begin();
