// The page of a campaign's running total: live, and never less than before (CT-1).

import { totalApi } from "./api.js";
import { formatFen } from "./money.js";
import { explain, locale, text } from "./strings.js";
import { RetryControl, startPage } from "./view.js";

const campaign = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const find = (id) => document.getElementById(id);
const api = totalApi({ campaign });
const retry = new RetryControl(find("total-problem"), () => begin());

let stream = null;
let shown = null;

/** Of one phase the larger amount counts: another node may be an interval behind this one. */
function show(total) {
  if (!Number.isSafeInteger(total.amount) || !Number.isSafeInteger(total.count)) return;
  if (shown !== null && shown.phase === total.phase) {
    total = { ...total, amount: Math.max(total.amount, shown.amount), count: Math.max(total.count, shown.count) };
  }
  shown = total;
  const amount = find("total-amount");
  amount.textContent = formatFen(total.amount);
  amount.dataset.length = amount.textContent.length > 13 ? "long" : "short";
  find("total-count").textContent = text("total.count", { count: total.count.toLocaleString(locale) });
  find("total").dataset.loaded = "true";
}

function end() {
  stream?.close();
  stream = null;
}

async function begin() {
  end();
  retry.hide();
  try {
    // Asked once: a stream that's refused doesn't say why.
    show(await api.total());
  } catch (problem) {
    find("total").dataset.loaded = "failed";
    const isUnknown = problem.code === "not_found";
    return retry.show(isUnknown ? Object.assign(problem, { code: "campaign_unknown" }) : problem);
  }
  // Somebody has looked away meanwhile, or asked twice.
  if (document.hidden || stream !== null) return;
  listen();
}

function listen() {
  stream = new EventSource(api.streamAddress);
  find("total").dataset.live = "true";
  stream.addEventListener("message", (event) => {
    find("total").dataset.live = "true";
    retry.succeeded();
    show(JSON.parse(event.data));
  });
  stream.addEventListener("error", () => {
    find("total").dataset.live = "false";
    // The browser itself tries again, unless the server has refused.
    if (stream?.readyState !== EventSource.CLOSED) return;
    end();
    retry.show({ code: "unavailable", retryAfterMs: 0 });
  });
}

startPage("total.title");
document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()));
addEventListener("pagehide", end);
begin();
