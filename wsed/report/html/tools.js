// Small helpers. Names come from files, so text is only ever set as text, never as HTML.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const KIND = { right: 0, shifted: 1, wrong: 2, missed: 3, false: 4 };
const KIND_COLOUR = ["var(--right)", "var(--shifted)", "var(--wrong)", "var(--missed)", "var(--false)"];
const SYMBOL = ["\u2713", "\u2194", "\u2260", "\u25cb", "\u2715"]; // told apart without colour
const several = DATA.systems.length > 1;

function add(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}
const el = (tag, attributes, ...children) => add(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => add(document.createElementNS(SVG, tag), attributes, children);
const colour = (i) => `var(--c${i % 6})`;
const known = (x) => typeof x === "number" && Number.isFinite(x);
const percent = (x) => (known(x) ? (100 * x).toFixed(1) : "\u2013");
const fixed = (x, digits = 3) => (known(x) ? x.toFixed(digits) : "\u2013");
const signed = (x, text) => (known(x) ? (x > 0 ? "+" : x < 0 ? "\u2212" : "") + text(Math.abs(x)) : "\u2013");

// The part of the names in which the systems differ: their folders often share most of a long path.
const shortNames = (() => {
  const names = DATA.systems.map((system) => system.name.split(/[\\/]/));
  let from = 0;
  while (several && names.every((n) => n.length > from + 1 && n[from] === names[0][from])) from += 1;
  return names.map((n) => (several ? n.slice(from).join("/") : n.slice(-2).join("/")));
})();

const tip = el("div", { class: "tip", hidden: true, role: "tooltip" });
function showTip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 10, 4)}px`;
}
const hideTip = () => { tip.hidden = true; };
const withTip = (text) => ({ onmousemove: (event) => showTip(event, text), onmouseleave: hideTip });

// A table whose columns sort when their header is clicked; cells are text, or {text, sort}.
function sortedTable(head, rows, first = null) {
  const body = el("tbody");
  const fill = (list) => body.replaceChildren(...list.map((row) => el("tr", {}, row.map((cell, i) =>
    el("td", { class: i && "n" }, cell.text === undefined ? cell : cell.text)))));
  const value = (cell) => (cell.sort === undefined ? (cell.text === undefined ? cell : cell.text) : cell.sort);
  let by = null, falling = false;
  const sort = (i) => {
    falling = by === i ? !falling : i > 0;
    by = i;
    fill([...rows].sort((a, b) => {
      const [x, y] = [value(a[i]), value(b[i])];
      const order = typeof x === "string" ? x.localeCompare(y) : (known(x) ? x : -1) - (known(y) ? y : -1);
      return falling ? -order : order;
    }));
  };
  const titles = head.map((title, i) => el("th", { class: i && "n", scope: "col" },
    el("button", { type: "button", onclick: () => sort(i) }, title)));
  if (first === null) fill(rows); else sort(first);
  return el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, titles)), body));
}
