// Listens to the console's events and shows each snapshot; sends what a button does.

import * as charts from "./charts.js";
import * as diagram from "./diagram.js";
import * as panels from "./panels.js";
import { element, onTurn } from "./words.js";

const token = location.hash.slice(1);
const by = (id) => document.getElementById(id);
// A stream without a word for so long is as good as lost: the machine slept, say.
const SILENT_MS = 5000;
let heard = 0, last = null;

diagram.draw(by("diagram"));
onTurn(() => {
  diagram.draw(by("diagram"));
  if (last) diagram.show(last);
});
listen();

function listen() {
  const events = new EventSource(`api/events?token=${encodeURIComponent(token)}`);
  events.onmessage = (event) => {
    heard = Date.now();
    show(JSON.parse(event.data));
  };
  events.onerror = () => {
    link("lost", "no connection to the console");
    // A browser comes back by itself after a lost connection, but gives up after a refusal.
    if (events.readyState === EventSource.CLOSED) refused();
  };
  const watchdog = setInterval(() => {
    if (!heard || Date.now() - heard < SILENT_MS) return;
    clearInterval(watchdog);
    events.close();
    link("lost", "no connection to the console");
    heard = 0;
    setTimeout(listen, 1000);
  }, 1000);
}

async function refused() {
  const answer = await fetch(`api/events?token=${encodeURIComponent(token)}`).catch(() => null);
  if (answer?.ok) answer.body.cancel();
  notice(answer?.status === 403 ? (await answer.json()).detail : "The console has ended. Start it with `tidegate console`, and open the address it prints.");
}

function show(told) {
  document.body.dataset.cloud = told.cloud.up ? "up" : "down";
  link("live", "live");
  notice(told.cloud.up ? "" : told.cloud.why);
  by("about").textContent = told.cloud.engine ? `${told.cloud.engine} · ${told.cloud.redis} · ${told.cloud.api_url}` : "";
  actions(told.actions);
  if (!told.traffic) return;
  last = told;
  diagram.show(told);
  for (const part of [charts.requests, charts.latency, panels.stores, panels.limits, panels.cache, panels.queue, panels.release]) part(told);
}

function link(state, text) {
  const shown = by("link");
  if (shown.dataset.state === state) return;
  shown.dataset.state = state;
  shown.textContent = text;
}

function notice(text) {
  const shown = by("notice");
  if (shown.textContent !== text) shown.textContent = text;
  shown.hidden = !text;
}

function actions({ buttons, attempt, refusal }) {
  const area = by("buttons");
  if (!area.childElementCount) area.append(...buttons.flatMap((one, at) => (at && buttons[at - 1].group !== one.group ? [element("span", "", { class: "gap" }), button(one)] : [button(one)])));
  const running = attempt?.state === "running";
  for (const one of area.querySelectorAll("button")) one.disabled = running || Boolean(refusal);
  const said = refusal ? [refusal] : attempt ? (attempt.notes.length ? attempt.notes : ["…"]).slice(-3) : ["Redis is lost in four ways; the scenarios bring traffic of their own."];
  const log = by("attempt");
  log.dataset.state = refusal ? "refused" : (attempt?.state ?? "none");
  log.dataset.name = attempt?.name ?? "";
  if (log.textContent !== said.join("")) log.replaceChildren(...said.map((line) => element("p", line)));
}

function button({ name, label, about, group }) {
  const made = element("button", label, { type: "button", title: about, "data-name": name, "data-group": group });
  made.addEventListener("click", () => press(name));
  return made;
}

async function press(name) {
  const answer = await fetch(`api/actions/${name}`, { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
  if (answer?.ok) return actions(await answer.json());
  const said = answer ? (await answer.json()).detail : "The console does not answer.";
  by("attempt").replaceChildren(element("p", said));
}
