// The way of a request, drawn once; what it says changes with each snapshot.

import { drawn, isNarrow, milliseconds, percent, rate, seconds, sum, whole } from "./words.js";

const WIDTH = 148, HEIGHT = 88;
// A request's way has seven places; beside it are the stores, the queue, and what didn't get through. In a phone's width
// the way leads down instead of to the right: `along` it, and `across` to the other lane.
const WIDE = { view: [1200, 274], along: 174, first: 78, lanes: [48, 226], half: [WIDTH / 2, HEIGHT / 2], at: (along, across) => [along, across] };
const NARROW = { view: [360, 774], along: 113, first: 48, lanes: [76, 284], half: [HEIGHT / 2, WIDTH / 2], at: (along, across) => [across, along] };
const STATIONS = {
  client: [0, 0, "Client"], edge: [1, 0, "Edge"], identify: [2, 0, "Identify"], shed: [3, 0, "Shed"],
  admit: [4, 0, "Admit"], handler: [5, 0, "Handler"], settle: [6, 0, "Settle"],
  answers: [0, 1, "Refused"], failed: [1, 1, "Failed"], worker: [2, 1, "Worker"], queue: [3, 1, "Queue"],
  redis: [4, 1, "Redis"], dynamodb: [5, 1, "DynamoDB"], memory: [6, 1, "This environment"],
};
const ROW = ["client", "edge", "identify", "shed", "admit", "handler", "settle"];
const STORES = ["redis", "dynamodb", "memory"];
const TIP = 7;
const held = { stations: {}, ways: {} };

export function draw(svg) {
  const shape = isNarrow() ? NARROW : WIDE, [near, far] = shape.lanes, [long, deep] = shape.half;
  const place = (number) => shape.first + number * shape.along;
  const edge = near + deep, shore = far - deep, gap = (edge + shore) / 2, [admit, queue] = [place(4), place(3)];
  const lead = (name, points, look) => way(svg, name, points.map(([along, across]) => shape.at(along, across)), look);
  svg.setAttribute("viewBox", `0 0 ${shape.view.join(" ")}`);
  svg.replaceChildren();
  for (let i = 1; i < ROW.length; i++) lead(`to-${ROW[i]}`, [[place(i - 1) + long, near], [place(i) - long, near]]);
  lead("to-redis", [[admit, edge], [admit, shore]]);
  lead("to-dynamodb", [[admit + long / 3, edge], [admit + long / 3, gap], [place(5), gap], [place(5), shore]]);
  lead("to-memory", [[admit + (2 * long) / 3, edge], [admit + (2 * long) / 3, gap - 18], [place(6), gap - 18], [place(6), shore]]);
  lead("to-queue", [[admit - long / 2, edge], [admit - long / 2, gap], [queue, gap], [queue, shore]], "aside");
  lead("to-worker", [[queue - long, far], [place(2) + long, far]], "aside");
  lead("from-worker", [[place(2), shore], [place(2), edge]], "aside");
  if (shape === WIDE) {
    svg.append(drawn("text", { class: "label", x: admit + 8, y: shore - 14 }, "one question"));
    svg.append(drawn("text", { class: "label", x: queue + 8, y: shore - 14 }, "202, later"));
  }
  for (const [name, [number, lane, title]] of Object.entries(STATIONS)) station(svg, name, shape.at(place(number), shape.lanes[lane]), title);
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

function station(svg, name, [x, y], title) {
  const group = drawn("g", { id: `station-${name}` }), top = y - HEIGHT / 2;
  const rate = drawn("text", { class: "rate", x, y: top + 52 }), note = drawn("text", { class: "note", x, y: top + 74 });
  group.append(drawn("rect", { x: x - WIDTH / 2, y: top, width: WIDTH, height: HEIGHT, rx: 10 }), drawn("text", { class: "name", x, y: top + 22 }, title), rate, note);
  svg.append(group);
  held.stations[name] = { group, rate, note };
}

// A line through points, at right angles, with a tip at its end.
function way(svg, name, points, look = "") {
  const [x, y] = points.at(-1), [fromX, fromY] = points.at(-2), turn = (Math.atan2(y - fromY, x - fromX) * 180) / Math.PI;
  const short = [x - TIP * Math.sign(x - fromX), y - TIP * Math.sign(y - fromY)];
  const line = drawn("path", { d: `M${[...points.slice(0, -1), short].map((point) => point.join(" ")).join("L")}`, class: look });
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
