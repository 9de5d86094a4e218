// The tables and figures beside the drawing.

import { element, milliseconds, percent, rows, seconds, sum, whole } from "./words.js";

const by = (id) => document.getElementById(id);

export function stores(told) {
  const counts = told.traffic.minute.stores, all = sum(counts);
  const known = new Map((told.health?.dependencies ?? []).map((one) => [one.name, one]));
  const lines = ["redis", "dynamodb"].map((name) => {
    const seen = known.get(name);
    return [name === "redis" ? "Redis" : "DynamoDB", state(name, seen, told), breaker(seen, told), decided(counts[name], all), milliseconds(name === "redis" ? (told.redis?.latency_ms ?? null) : (seen?.latency_ms ?? null))];
  });
  lines.push(["This environment's memory", ["always there", "dim"], ["none", "dim"], decided(counts.memory, all), "–"]);
  rows(by("stores"), lines, "");
  by("changes").replaceChildren(...told.traffic.changes.map((one) => element("li", `${clock(one.at_s)}  an environment (${one.service}) ${one.state === "failing" ? `lost ${one.store}: ${one.fault}` : `has ${one.store} back`}`)));
}

// Before the API was asked for the first time nothing is known, and nothing is wrong.
const untold = (told) => [told.errors.health ? "unknown" : "not asked yet", "dim"];

function state(name, seen, told) {
  const redis = told.redis;
  if (name === "redis" && redis && redis.state !== "up") return [redis.state, "ill"];
  if (name === "redis" && redis) return ["up", "well"];
  return seen ? [seen.error ? `${seen.state}: ${seen.error}` : seen.state, seen.state === "failing" ? "ill" : "well"] : untold(told);
}

function breaker(seen, told) {
  if (!seen?.breaker) return untold(told);
  return [seen.breaker, { closed: "well", open: "ill" }[seen.breaker] ?? "so"];
}

const decided = (count, all) => (count ? `${whole(count)} (${percent(count, all)})` : "0");
const clock = (at_s) => new Date(at_s * 1000).toLocaleTimeString("en-GB");

export function limits(told) {
  const lines = told.traffic.callers.map(({ asked: one, remaining, name }) => {
    const out = one.outcomes, limited = out.limited ?? 0, queued = out.queued ?? 0;
    const through = sum(out) - limited - queued - (out.shed ?? 0) - (out.refused ?? 0);
    const refused = one.refused_at_s === null ? "–" : `${seconds(Math.max(0, told.at_s - one.refused_at_s))} ago`;
    const left = remaining === null ? ["–", "dim"] : [whole(remaining), remaining ? "" : "ill"];
    return [name ?? short(one.principal), `${one.method} ${one.route}`, whole(through), [whole(limited), limited ? "so" : ""], whole(queued), left, [refused, "dim"]];
  });
  rows(by("limits"), lines, "Nobody asked for anything in the last minute.");
}

const short = (principal) => (principal.length > 16 ? `${principal.slice(0, 12)}…` : principal);

export function cache(told) {
  const counts = told.traffic.minute.cache, all = sum(counts);
  const copies = ["hit", "stale", "collapsed"].reduce((total, word) => total + (counts[word] ?? 0), 0);
  by("hits").textContent = percent(copies, all);
  define("cache", [["hits", whole(counts.hit)], ["stale copies", whole(counts.stale)], ["waited for another's", whole(counts.collapsed)], ["misses, computed", whole(counts.computed)], ["passed by", whole(counts.bypass)]]);
}

export function queue(told) {
  const one = told.queue;
  by("depth").textContent = one ? whole(one.waiting + one.in_flight + one.delayed) : "–";
  const worker = told.traffic.worker;
  define("queue", [["at a worker now", whole(one?.in_flight)], ["oldest has waited", seconds(told.oldest_s)], ["run in the last minute", whole(worker.requests - (worker.outcomes.limited ?? 0))], ["failed there", whole(worker.failed)], ["dead letters", whole(one?.dead_letters)]]);
}

function define(id, pairs) {
  by(id).replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

export function release(told) {
  const shares = Object.entries(told.weights?.percent ?? {}), one = told.weights?.release;
  // A first deploy has nothing to compare itself with, so it goes without steps and a canary.
  const compared = one && Object.keys(one.stable).length ? one : null;
  by("weights").replaceChildren(...shares.map(([, share]) => {
    const part = element("span");
    part.style.flexGrow = share;
    return part;
  }));
  by("weights").setAttribute("aria-label", `Weights: ${shares.map(([version, share]) => `version ${version} ${share} %`).join(", ")}`);
  by("release-phase").textContent = phase(told, one, compared);
  steps(compared);
  rows(by("release"), compared ? ["stable", "canary"].map((who) => side(who, compared)) : [], allTraffic(shares));
  by("verdict").textContent = compared?.reason ?? "";
  by("verdict").className = { promoted: "well", "rolled-back": "ill" }[compared?.state] ?? "";
}

function phase(told, one, compared) {
  if (!told.weights) return told.errors.weights ? "unknown" : "not asked yet";
  if (!one) return "none so far";
  if (!compared && one.state === "promoted") return "none since the first deploy";
  return `${one.token}: ${one.state === "running" ? one.phase : one.state.replace("-", " ")}`;
}

function allTraffic(shares) {
  return shares.length ? `Version ${shares.map(([version]) => version).join(", ")} has all of the traffic.` : "No alias was read yet.";
}

function steps(one) {
  const all = one?.steps.length ? [...one.steps, 100] : [];
  const at = one?.state === "promoted" ? all.length - 1 : one?.state === "running" ? one.step : -1;
  by("steps").replaceChildren(...all.map((weight, number) => element("li", `${weight} %`, number === at ? { "aria-current": "step" } : {})));
}

function side(who, one) {
  const versions = Object.entries(one[who]).map(([name, version]) => `${name.split("-").pop()} ${version}`).join(", ");
  const served = one.served[who], running = one.state === "running", weight = who === "canary" ? one.percent : 100 - one.percent;
  return [who, versions || "–", running ? `${weight} %` : "–", whole(served.requests), [whole(served.failed), served.failed ? "ill" : ""], milliseconds(served.p95_ms)];
}
