// Numbers as people read them, and elements that hold text alone: nothing that a server said is ever parsed as HTML.

export const OUTCOMES = ["admitted", "replayed", "unguarded", "queued", "limited", "shed", "refused", "failed"];

export const whole = (value) => Math.round(value ?? 0).toLocaleString("en");

export function rate(count, seconds) {
  const perSecond = (count ?? 0) / seconds;
  return perSecond >= 10 || perSecond === 0 ? whole(perSecond) : perSecond.toFixed(1);
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 90 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`;
}

export const percent = (part, all) => (all ? `${Math.round((100 * part) / all)} %` : "–");

export const sum = (counts) => Object.values(counts ?? {}).reduce((all, one) => all + one, 0);

export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

// A phone's page: console.css has the same width.
const narrow = matchMedia("(max-width: 560px)");
export const isNarrow = () => narrow.matches;
export const onTurn = (drawAnew) => narrow.addEventListener("change", drawAnew);

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

// Rows of cells; a cell is a text, or [text, class].
export function rows(table, lines, nothing) {
  const body = table.tBodies[0];
  const columns = table.tHead.rows[0].cells;
  const made = lines.map((cells) => {
    const row = element("tr");
    cells.forEach((cell, at) => {
      const [text, look = ""] = Array.isArray(cell) ? cell : [cell];
      row.append(element("td", text, { class: `${columns[at].className} ${look}`.trim(), "data-of": columns[at].textContent }));
    });
    return row;
  });
  if (!made.length) {
    const row = element("tr");
    row.append(element("td", nothing, { colspan: columns.length, class: "dim" }));
    made.push(row);
  }
  body.replaceChildren(...made);
}
