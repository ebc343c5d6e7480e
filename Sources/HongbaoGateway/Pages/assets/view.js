// Small pieces that every part of the page is built from. Text only ever enters the document as text.

import { backoffMs } from "./api.js";
import { explain, language, locale, text, translate } from "./strings.js";

const SVG = "http://www.w3.org/2000/svg";

/** Puts the document into the reader's language, with its title and the links to itself in the other language. */
export function startPage(title) {
  document.documentElement.lang = locale;
  translate(document);
  document.title = text(title);
  for (const link of document.querySelectorAll(".language")) {
    const query = new URLSearchParams(location.search);
    if (language === "en") query.delete("lang");
    else query.set("lang", "en");
    link.href = `${location.pathname}?${query}`;
  }
}

/** The page to sign in on, which leads back to this one. */
export function signInAddress() {
  const query = new URLSearchParams({ next: location.pathname });
  if (language === "en") query.set("lang", "en");
  return `/wallet?${query}`;
}

/** An element with attributes and children; children that are `null` are left out. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Whom an ID names, as far as others may see it. */
export function shortID(person) {
  return `ID …${person.slice(-4)}`;
}

/** One of the drawings in the document's sheet of symbols; decoration, so hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Says something to people who listen to the page instead of looking at it. */
export function announce(sentence) {
  document.getElementById("announcer").textContent = sentence;
}

/**
 * A sentence on what went wrong, with a button to try again.
 *
 * The button opens after the server's Retry-After, and later with each failure in a row: a server in trouble gets
 * fewer requests, not more (FC-6).
 */
export class RetryControl {
  /** `signal` ends the control, when another takes over its box. */
  constructor(box, run, signal) {
    this.box = box;
    this.sentence = box.querySelector("p");
    this.button = box.querySelector("button");
    this.failures = 0;
    this.timer = null;
    const tap = () => this.button.getAttribute("aria-disabled") === "true" || run();
    this.button.addEventListener("click", tap, { signal });
  }

  get shown() {
    return !this.box.hidden;
  }

  show(problem) {
    const waitMs = Math.max(problem.retryAfterMs, this.failures === 0 ? 0 : backoffMs(this.failures, 1_000));
    this.failures += 1;
    this.sentence.textContent = explain(problem);
    this.box.hidden = false;
    this.countDown(Date.now() + waitMs);
  }

  countDown(until) {
    clearTimeout(this.timer);
    const seconds = Math.ceil((until - Date.now()) / 1000);
    // Not `disabled`: that would throw the keyboard's focus away.
    this.button.setAttribute("aria-disabled", String(seconds > 0));
    this.button.textContent = seconds > 0 ? text("retry.in", { seconds }) : text("retry");
    if (seconds > 0) this.timer = setTimeout(() => this.countDown(until), 250);
  }

  hide() {
    clearTimeout(this.timer);
    this.box.hidden = true;
  }

  succeeded() {
    this.failures = 0;
    this.hide();
  }
}
