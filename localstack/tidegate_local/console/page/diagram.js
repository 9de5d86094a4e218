// The way of a request, drawn once; what it says changes with each snapshot.

import { drawn, milliseconds, percent, rate, seconds, sum, whole } from "./words.js";

const WIDTH = 148, HEIGHT = 88, TOP = 4, BELOW = 182;
const AT = [78, 252, 426, 600, 774, 948, 1122];
const STATIONS = {
  client: [0, TOP, "Client"], edge: [1, TOP, "Edge"], identify: [2, TOP, "Identify"], shed: [3, TOP, "Shed"],
  admit: [4, TOP, "Admit"], handler: [5, TOP, "Handler"], settle: [6, TOP, "Settle"],
  answers: [0, BELOW, "Refused"], failed: [1, BELOW, "Failed"], worker: [2, BELOW, "Worker"], queue: [3, BELOW, "Queue"],
  redis: [4, BELOW, "Redis"], dynamodb: [5, BELOW, "DynamoDB"], memory: [6, BELOW, "This environment"],
};
const ROW = ["client", "edge", "identify", "shed", "admit", "handler", "settle"];
const STORES = ["redis", "dynamodb", "memory"];
const MIDDLE = TOP + HEIGHT / 2, BOTTOM = TOP + HEIGHT, GAP = (BOTTOM + BELOW) / 2;
const held = { stations: {}, ways: {} };

export function draw(svg) {
  svg.replaceChildren();
  for (let i = 1; i < ROW.length; i++) {
    way(svg, `to-${ROW[i]}`, `M${AT[i - 1] + WIDTH / 2} ${MIDDLE}H${AT[i] - WIDTH / 2 - 7}`, [AT[i] - WIDTH / 2, MIDDLE, 0]);
  }
  way(svg, "to-redis", `M${AT[4]} ${BOTTOM}V${BELOW - 7}`, [AT[4], BELOW, 90]);
  way(svg, "to-dynamodb", `M${AT[4] + 24} ${BOTTOM}V${GAP}H${AT[5]}V${BELOW - 7}`, [AT[5], BELOW, 90]);
  way(svg, "to-memory", `M${AT[4] + 48} ${BOTTOM}V${GAP - 18}H${AT[6]}V${BELOW - 7}`, [AT[6], BELOW, 90]);
  way(svg, "to-queue", `M${AT[4] - 36} ${BOTTOM}V${GAP}H${AT[3]}V${BELOW - 7}`, [AT[3], BELOW, 90], "aside");
  way(svg, "to-worker", `M${AT[3] - WIDTH / 2} ${BELOW + HEIGHT / 2}H${AT[2] + WIDTH / 2 + 7}`, [AT[2] + WIDTH / 2, BELOW + HEIGHT / 2, 180], "aside");
  way(svg, "from-worker", `M${AT[2]} ${BELOW}V${BOTTOM + 7}`, [AT[2], BOTTOM, -90], "aside");
  svg.append(drawn("text", { class: "label", x: AT[4] + 8, y: BELOW - 14 }, "one question"));
  svg.append(drawn("text", { class: "label", x: AT[3] + 8, y: BELOW - 14 }, "202, later"));
  for (const [name, [at, y, title]] of Object.entries(STATIONS)) station(svg, name, AT[at], y, title);
}

export function show(told) {
  const { traffic, recent_s: last } = told;
  const now = traffic.recent, minute = traffic.minute, out = now.outcomes;
  const decided = sum(now.stores);
  const copies = ["hit", "stale", "collapsed"].reduce((all, word) => all + (now.cache[word] ?? 0), 0);
  const ran = Math.max(0, (out.admitted ?? 0) + (out.unguarded ?? 0) + (out.failed ?? 0) - copies);
  const refused = (out.limited ?? 0) + (out.shed ?? 0) + (out.refused ?? 0);
  say("client", rate(now.requests, last), `${whole(minute.requests)} last minute`);
  say("edge", rate(now.requests, last), divided(told.weights));
  say("identify", rate(now.requests, last), `${whole(traffic.principals)} caller${traffic.principals === 1 ? "" : "s"} a minute`);
  say("shed", rate(out.shed, last), out.shed ? "turned away, 503" : "nothing turned away", out.shed ? "warn" : "");
  say("admit", rate(decided, last), decided ? `in ${milliseconds(now.admission.p99_ms)} at p99` : "limits, cache, replay");
  say("handler", rate(ran, last), `${rate(copies + (out.replayed ?? 0), last)}/s need it not`);
  say("settle", rate((now.cache.computed ?? 0) + (out.replayed ?? 0), last), "copies and replays");
  say("answers", rate(refused, last), out.limited ? `${rate(out.limited, last)}/s limited, 429` : "nobody is limited", refused ? "warn" : "");
  say("failed", rate(now.failed, last), `${whole(minute.failed)} in the last minute`, now.failed ? "bad" : "");
  queued(told, last);
  stores(told, decided, last);
  for (const name of ROW.slice(1, 3)) flows(`to-${name}`, now.requests > 0);
  flows("to-shed", now.requests > 0);
  flows("to-admit", decided > 0);
  flows("to-handler", ran > 0);
  flows("to-settle", (now.cache.computed ?? 0) + ran > 0);
}

function queued(told, last) {
  const queue = told.queue, depth = queue ? queue.waiting + queue.in_flight + queue.delayed : null;
  say("queue", depth === null ? "–" : whole(depth), depth ? `oldest ${seconds(told.oldest_s)}` : "nothing waits", depth > 20 ? "warn" : "");
  const worked = told.traffic.worker.requests - (told.traffic.worker.outcomes.limited ?? 0);
  say("worker", whole(worked), "run in the last minute");
  flows("to-queue", (told.traffic.recent.outcomes.queued ?? 0) > 0);
  flows("to-worker", depth > 0);
  flows("from-worker", depth > 0);
}

function stores(told, decided, last) {
  const { stores: counts } = told.traffic.recent;
  for (const name of STORES) {
    const count = counts[name] ?? 0;
    const [note, state] = name === "redis" ? redis(told) : ["", ""];
    const share = count ? `decides ${percent(count, decided)}` : { redis: "not asked now", dynamodb: "if Redis is lost", memory: "if both are lost" }[name];
    say(name, rate(count, last), note || share, state);
    held.stations[name].group.classList.toggle("deciding", count > 0 && count >= decided / 2);
    flows(`to-${name}`, count > 0);
  }
}

function redis(told) {
  if (told.redis?.state === "down") return ["down: refuses", "bad"];
  if (told.redis?.state === "hung") return ["hung: never answers", "bad"];
  const seen = told.health?.dependencies.find((one) => one.name === "redis");
  return seen && seen.breaker && seen.breaker !== "closed" ? [`breaker ${seen.breaker}`, "warn"] : ["", ""];
}

function divided(weights) {
  const shares = Object.entries(weights?.percent ?? {});
  return shares.length ? shares.map(([version, share]) => (shares.length > 1 ? `v${version} ${share} %` : `alias live: v${version}`)).join(" · ") : "API Gateway";
}

function station(svg, name, x, y, title) {
  const group = drawn("g", { id: `station-${name}` });
  const rate = drawn("text", { class: "rate", x, y: y + 52 }), note = drawn("text", { class: "note", x, y: y + 74 });
  group.append(drawn("rect", { x: x - WIDTH / 2, y, width: WIDTH, height: HEIGHT, rx: 10 }), drawn("text", { class: "name", x, y: y + 22 }, title), rate, note);
  svg.append(group);
  held.stations[name] = { group, rate, note };
}

function way(svg, name, path, [x, y, turn], look = "") {
  const line = drawn("path", { d: path, class: look });
  svg.append(line, drawn("path", { class: `tip ${look}`, d: "M0 0L-9 -5V5Z", transform: `translate(${x} ${y}) rotate(${turn})` }));
  held.ways[name] = line;
}

function say(name, rate, note, state = "") {
  const { group, ...texts } = held.stations[name];
  texts.rate.textContent = rate;
  texts.note.textContent = note;
  group.dataset.state = state;
}

function flows(name, so) {
  held.ways[name].classList.toggle("flows", so);
}
