// The page to send a red packet: paid at the cashier, or by one of the person's subsidies (RP-2, SU-2).
//
// The client chooses the packet's id and keeps it until an answer came: however often a request has to be repeated, one
// packet is sent.

import { demo, packetApi } from "./api.js";
import { formatFen, parseYuan } from "./money.js";
import { absorbFragment, commitments, openSend, paymentPages, session } from "./session.js";
import { explain, has, language, text } from "./strings.js";
import { announce, element, RetryControl, shortID, signInAddress, startPage } from "./view.js";

const COUNT_MAX = 100_000;
const LISTED_MAX = 1_000;

const find = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;

function freshID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `p-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Only addresses that a browser opens as a page. */
function isPage(address) {
  return URL.canParse(address) && ["https:", "http:"].includes(new URL(address).protocol);
}

class SendPage {
  constructor({ jwt, person, campaign }) {
    this.api = packetApi({ jwt });
    this.campaign = new URLSearchParams(location.search).get("campaign") ?? campaign;
    this.open = openSend(person);
    this.subsidies = null;
    this.retry = new RetryControl(find("send-problem"), () => this.post());
    this.subsidiesRetry = new RetryControl(find("subsidies-problem"), () => this.loadSubsidies());
    find("who").textContent = person === null ? "" : shortID(person);
    find("send-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    find("send-form").addEventListener("change", () => this.changed());
    find("send-form").addEventListener("input", () => this.refuse(""));
    find("send-form").hidden = false;
    this.changed();
  }

  changed() {
    const isSubsidy = chosen("kind") === "b2c";
    find("subsidy-field").hidden = !isSubsidy;
    find("amount-field").hidden = isSubsidy;
    find("listed-field").hidden = chosen("scope") !== "listed";
    find("send-submit").textContent = text(isSubsidy ? "send.submit.b2c" : "send.submit");
    this.refuse("");
    if (isSubsidy && this.subsidies === null) this.loadSubsidies();
  }

  async loadSubsidies() {
    this.subsidiesRetry.hide();
    find("subsidies-note").textContent = text("loading");
    try {
      const campaign = this.campaign ?? (await demo.apps(null)).campaign;
      const list = await this.api.subsidies(campaign);
      this.subsidies = list.subsidies.filter((subsidy) => subsidy.state === "available");
      this.subsidiesRetry.succeeded();
      this.showSubsidies(list.complete === false);
    } catch (problem) {
      find("subsidies-note").textContent = problem.status === 404 ? text("send.subsidy.none") : "";
      if (problem.status === 401) showSignIn(text("signin.expired"));
      else if (problem.status !== 404) this.subsidiesRetry.show(problem);
    }
  }

  showSubsidies(isPart) {
    find("subsidies").replaceChildren(
      ...this.subsidies.map(({ order, amount, title }, index) => {
        const radio = element("input", { type: "radio", name: "subsidy", value: order });
        radio.checked = index === 0;
        const name = `${title ?? text("send.subsidy.one")} ${formatFen(amount)}`;
        return element("label", { class: "app" }, radio, element("span", {}, name));
      }),
    );
    const note = this.subsidies.length === 0 ? "send.subsidy.none" : isPart ? "send.subsidy.part" : null;
    find("subsidies-note").textContent = note === null ? "" : text(note);
  }

  refuse(sentence, input = null) {
    find("send-error").textContent = sentence;
    for (const name of ["amount", "count", "listed", "greeting"]) {
      find(name).setAttribute("aria-invalid", String(find(name) === input));
    }
    input?.focus();
  }

  /** What the form asks for, or `null` after saying what is wrong with it. */
  request() {
    const isSubsidy = chosen("kind") === "b2c";
    const request = { id: freshID(), kind: chosen("kind"), split: chosen("split"), scope: chosen("scope") };
    let fen = null;
    if (isSubsidy) {
      const subsidy = (this.subsidies ?? []).find(({ order }) => order === chosen("subsidy"));
      if (subsidy === undefined) return this.no(text("send.subsidy.empty"), null);
      request.subsidy = subsidy.order;
      if (typeof subsidy.token === "string") request.token = subsidy.token;
      fen = subsidy.amount;
    } else {
      const parsed = parseYuan(find("amount").value);
      if (parsed.refusal !== undefined) return this.no(text(`send.amount.${parsed.refusal}`), find("amount"));
      fen = parsed.fen;
      request.amount = fen;
    }
    const count = parseYuan(find("count").value);
    if (count.refusal !== undefined || count.fen % 100 !== 0) return this.no(text("send.count.invalid"), find("count"));
    request.count = count.fen / 100;
    if (request.count > COUNT_MAX) return this.no(text("send.count.large", { max: COUNT_MAX }), find("count"));
    if (fen < request.count) return this.no(text("send.amount.thin"), find(isSubsidy ? "count" : "amount"));
    if (request.scope === "listed") {
      request.listed = find("listed").value.split(/[\s,，、]+/).filter((word) => word !== "");
      const isRight = request.listed.every((word) => /^[1-9]\d{0,19}$/.test(word));
      const { length } = request.listed;
      if (!isRight || length === 0 || length > LISTED_MAX) return this.no(text("send.listed.invalid"), find("listed"));
    }
    const greeting = find("greeting").value.trim();
    if (greeting !== "") request.greeting = greeting;
    return request;
  }

  no(sentence, input) {
    this.refuse(sentence, input);
    return null;
  }

  submit() {
    if (find("send-submit").getAttribute("aria-disabled") === "true") return;
    const request = this.request();
    if (request === null) return;
    // The same form again, as after an answer that got lost, is the same packet.
    const earlier = this.open.read();
    const content = (asked) => JSON.stringify({ ...asked, id: "" });
    const isSame = earlier !== null && content(earlier) === content(request);
    this.open.write(isSame ? earlier : request);
    this.post();
  }

  async post() {
    const button = find("send-submit");
    this.retry.hide();
    button.setAttribute("aria-disabled", "true");
    button.textContent = text("send.sending");
    try {
      const sent = await this.api.send(this.open.read());
      this.open.write(null);
      this.retry.succeeded();
      this.show(sent);
    } catch (problem) {
      this.failed(problem);
    }
    button.setAttribute("aria-disabled", "false");
    button.textContent = text(chosen("kind") === "b2c" ? "send.submit.b2c" : "send.submit");
  }

  failed(problem) {
    if (problem.status === 401) return showSignIn(text("signin.expired"));
    if (problem.retryable || problem.outcomeUnknown) return this.retry.show(problem);
    // A final refusal: nothing was sent, the next try is a new packet.
    this.open.write(null);
    const sentence = has(`send.error.${problem.code}`) ? text(`send.error.${problem.code}`) : explain(problem);
    const fields = ["amount", "count", "listed", "greeting"];
    this.refuse(sentence, fields.includes(problem.param) ? find(problem.param) : null);
    if (problem.param === "subsidy") this.loadSubsidies();
  }

  show({ packet, commitment, payment }) {
    commitments.keep(packet, commitment);
    const query = language === "en" ? "?lang=en" : "";
    const path = `/red-packets/${packet}`;
    const isUnpaid = payment !== undefined && isPage(payment.url);
    if (isUnpaid) paymentPages.keep(packet, payment.url);
    find("send-form").hidden = true;
    find("sent").hidden = false;
    find("sent-title").textContent = text(isUnpaid ? "send.unpaid" : "send.done");
    find("sent-hint").textContent = text(isUnpaid ? "send.unpaid.hint" : "send.done.hint");
    find("sent-pay").hidden = !isUnpaid;
    if (isUnpaid) find("sent-pay").href = payment.url;
    find("sent-look").href = path + query;
    find("sent-address").textContent = new URL(path, location.href).href;
    // While the sender pays on the other tab, this one shows the packet and waits.
    find("sent-pay").addEventListener("click", () => setTimeout(() => location.assign(path + query), 0));
    announce(find("sent-title").textContent);
    find("sent-title").focus();
  }
}

function showSignIn(sentence = "") {
  session.clear();
  find("send-form").hidden = true;
  find("signin").hidden = false;
  if (sentence !== "") find("signin-note").textContent = sentence;
  find("signin-link").href = signInAddress();
}

startPage("send.title");
find("greeting").placeholder = text(find("greeting").dataset.hint);
absorbFragment(null);
const kept = session.get();
if (kept === null) showSignIn();
else new SendPage(kept);
