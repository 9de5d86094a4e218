// The last minute, second by second.

import { OUTCOMES, colour, drawn, element, isNarrow, milliseconds, sum, whole } from "./words.js";

const LEFT = 46, TOP = 8, FLOOR = 128, HEIGHT = 150;
// In a phone's width the letters stay as large as they are.
const right = () => (isNarrow() ? 344 : 594);

export function requests(told) {
  const { seconds, minute } = told.traffic;
  const most = round(Math.max(4, ...seconds.map((one) => sum(one.outcomes))));
  const svg = document.getElementById("requests"), width = (right() - LEFT) / seconds.length;
  show(svg, frame(seconds.length, most, whole));
  seconds.forEach((one, at) => {
    let y = FLOOR;
    for (const outcome of OUTCOMES) {
      const height = ((FLOOR - TOP) * (one.outcomes[outcome] ?? 0)) / most;
      y -= height;
      if (height) svg.append(drawn("rect", { x: LEFT + at * width + 0.6, y, width: width - 1.2, height, fill: colour(outcome) }));
    }
  });
  legend("outcomes", OUTCOMES.filter((one) => minute.outcomes[one]).map((one) => [one, one, whole(minute.outcomes[one])]), "No requests in the last minute.");
}

export function latency(told) {
  const { seconds, minute } = told.traffic, svg = document.getElementById("latency");
  const most = round(Math.max(10, ...seconds.map((one) => one.duration.p99_ms ?? 0)));
  show(svg, frame(seconds.length, most, (value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`)));
  for (const name of ["p99", "p50"]) for (const points of stretches(seconds, `${name}_ms`, most)) svg.append(drawn("polyline", { class: name, points, "stroke-linecap": "round" }));
  const shown = ["p50", "p99"].map((name) => [name === "p50" ? "admitted" : "shed", name, milliseconds(minute.duration[`${name}_ms`])]);
  const decision = ["p50", "p99"].map((name) => [null, `decision ${name}`, milliseconds(minute.admission[`${name}_ms`])]);
  legend("percentiles", [...shown, ...decision], "");
}

// A second without an answer has no latency: the line is broken there.
function stretches(seconds, member, most) {
  const width = (right() - LEFT) / seconds.length, found = [[]];
  seconds.forEach((one, at) => {
    const value = one.duration[member];
    if (value === null) return found.push([]);
    const x = LEFT + (at + 0.5) * width, y = FLOOR - ((FLOOR - TOP) * value) / most;
    found.at(-1).push(`${x.toFixed(1)},${y.toFixed(1)}`);
  });
  return found.filter((points) => points.length).map((points) => (points.length === 1 ? [points[0], points[0]] : points).join(" "));
}

// The next number up that halves well.
function round(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * unit).find((step) => step >= value);
}

function show(svg, parts) {
  svg.setAttribute("viewBox", `0 0 ${right() + 6} ${HEIGHT}`);
  svg.replaceChildren(...parts);
}

function frame(count, most, words) {
  const parts = [0, 0.5, 1].flatMap((share) => {
    const y = FLOOR - (FLOOR - TOP) * share;
    return [drawn("line", { x1: LEFT, x2: right(), y1: y, y2: y }), drawn("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, share ? words(most * share) : "0")];
  });
  for (const ago of [count, count / 2, 0]) {
    const x = right() - ((right() - LEFT) * ago) / count;
    parts.push(drawn("text", { x, y: FLOOR + 17, "text-anchor": ago === count ? "start" : ago ? "middle" : "end" }, ago ? `${ago} s ago` : "now"));
  }
  return parts;
}

function legend(id, entries, nothing) {
  const made = entries.map(([colouring, name, value]) => {
    const item = element("li");
    if (colouring) {
      const swatch = element("i");
      swatch.style.background = colour(colouring);
      item.append(swatch);
    }
    item.append(`${name} `, element("b", value));
    return item;
  });
  document.getElementById(id).replaceChildren(...(made.length ? made : [element("li", nothing)]));
}
