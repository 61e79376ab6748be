// Charts as inline SVG. Each returns a <figure>; widths follow the screen.
const chartWidth = () => Math.max(280, Math.min(560, document.getElementById("main").clientWidth - 36));

function ticks(low, high, n = 5) {
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw) || 1;
  const list = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + 1e-9; x += step) list.push(Number(x.toPrecision(12)));
  return list;
}

function legend(series) {
  return el("div", { class: "legend" }, series.filter((s) => s.name).map((s) =>
    el("span", {}, el("i", { style: `background:${s.colour};opacity:${s.faint ? 0.5 : 1}` }), s.name)));
}

// series: {name, x, y, colour, step, faint, dots}; marks: {x, text, colour} are vertical lines.
function lineChart({ title, series, x, y, marks = [], xRange, yRange = [0, 1], diagonal = false, note }) {
  const width = chartWidth(), height = 270, left = 46, right = 12, top = 10, bottom = 40;
  const every = series.flatMap((s) => s.x.filter(known));
  const [x0, x1] = xRange || [Math.min(...every), Math.max(...every, Math.min(...every) + 1e-9)];
  const [y0, y1] = yRange;
  const px = (v) => left + ((v - x0) / (x1 - x0 || 1)) * (width - left - right);
  const py = (v) => height - bottom - ((v - y0) / (y1 - y0 || 1)) * (height - top - bottom);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
  for (const t of ticks(y0, y1)) {
    chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: py(t), y2: py(t) }));
    chart.append(svg("text", { class: "soft", x: left - 6, y: py(t) + 4, "text-anchor": "end" }, String(t)));
  }
  for (const t of ticks(x0, x1)) chart.append(svg("text", { class: "soft", x: px(t), y: height - bottom + 16, "text-anchor": "middle" }, String(t)));
  chart.append(svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x));
  chart.append(svg("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y));
  if (diagonal) chart.append(svg("line", { x1: px(x0), y1: py(y0), x2: px(x1), y2: py(y1), stroke: "var(--soft)", "stroke-dasharray": "4 4" }));
  for (const s of series) {
    let path = "", pen = false;
    s.x.forEach((v, i) => {
      if (!known(v) || !known(s.y[i])) { pen = false; return; }
      if (v > x1 + 1e-9) return;
      if (s.step && pen) path += `H${px(v).toFixed(1)}`;
      path += `${pen ? "L" : "M"}${px(v).toFixed(1)} ${py(s.y[i]).toFixed(1)}`;
      pen = true;
    });
    if (s.step && pen) path += `H${px(x1).toFixed(1)}`;
    const line = svg("path", { d: path, fill: "none", stroke: s.colour, "stroke-width": s.faint ? 1 : 2.2, opacity: s.faint ? 0.45 : 1, ...withTip(s.name) });
    chart.append(line);
    if (s.dots) s.x.forEach((v, i) => known(s.y[i]) && chart.append(svg("circle", { cx: px(v), cy: py(s.y[i]), r: 4, fill: s.colour, ...withTip(s.dots[i]) })));
  }
  marks.forEach((mark) => {
    if (mark.x < x0 || mark.x > x1) return;
    chart.append(svg("line", { x1: px(mark.x), x2: px(mark.x), y1: top, y2: height - bottom, stroke: mark.colour || "var(--text)", "stroke-dasharray": "3 3" }));
    chart.append(svg("text", { x: px(mark.x) + (px(mark.x) > width - 110 ? -4 : 4), y: top + 10, "text-anchor": px(mark.x) > width - 110 ? "end" : "start" }, mark.text));
  });
  return el("figure", {}, el("figcaption", {}, title), chart, legend(series.filter((s) => !s.faint)), note && el("p", { class: "soft" }, note));
}

// rows: {name, values: [number per series], texts: [tooltip per series]}.
function barChart({ title, rows, series, most = 30, x = "", note }) {
  const width = chartWidth(), shown = rows.slice(0, most), one = Math.max(7, 16 / series.length);
  const label = Math.min(190, 12 + 6.6 * Math.max(...shown.map((r) => r.name.length), 4)), tall = series.length * one + 8;
  const height = shown.length * tall + 34, px = (v) => label + v * (width - label - 46);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
  for (const t of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(svg("line", { class: "grid", x1: px(t), x2: px(t), y1: 0, y2: height - 32 }));
    chart.append(svg("text", { class: "soft", x: px(t), y: height - 18, "text-anchor": "middle" }, String(100 * t)));
  }
  chart.append(svg("text", { x: px(0.5), y: height - 3, "text-anchor": "middle" }, x));
  shown.forEach((row, i) => {
    const y = i * tall + 4, long = row.name.length > 27;
    chart.append(svg("text", { x: label - 6, y: y + (tall - 8) / 2 + 4, "text-anchor": "end", ...withTip(row.name) }, long ? `${row.name.slice(0, 26)}\u2026` : row.name));
    row.values.forEach((v, j) => {
      const bar = { x: px(0), y: y + j * one, width: Math.max(px(known(v) ? v : 0) - px(0), 0.5), height: one - 1, fill: series[j].colour };
      chart.append(svg("rect", { ...bar, ...withTip(row.texts ? row.texts[j] : `${row.name}: ${percent(v)}`) }));
      if (series.length < 3) chart.append(svg("text", { class: "soft", x: px(known(v) ? v : 0) + 4, y: y + j * one + one - 3, style: "font-size:10px" }, percent(v)));
    });
  });
  const rest = rows.length - shown.length;
  return el("figure", {}, el("figcaption", {}, title), chart, legend(series), rest > 0 && el("p", { class: "soft" }, `and ${rest} more, in the table`), note && el("p", { class: "soft" }, note));
}

// values[row][column] in [0, 1] or null; text(row, column) is the tooltip, cell(row, column) what stands in it.
function heatmap({ title, rows, columns, values, text, cell, tint = () => "var(--c0)", note, xTitle, yTitle }) {
  const width = chartWidth(), label = Math.min(150, 10 + 6.4 * Math.max(...rows.map((r) => r.length)));
  const size = Math.max(12, Math.min(34, (width - label) / columns.length)), top = Math.min(110, 10 + 6 * Math.max(...columns.map((c) => c.length)));
  const w = label + size * columns.length + 4, h = top + size * rows.length + 22;
  const chart = svg("svg", { viewBox: `0 0 ${w} ${h}`, width: w, height: h, style: "max-width:none", role: "img", "aria-label": title });
  const cut = (name, n) => (name.length > n ? `${name.slice(0, n - 1)}\u2026` : name);
  columns.forEach((name, j) => chart.append(svg("text", { transform: `translate(${label + (j + 0.5) * size + 4} ${top - 5}) rotate(-55)`, ...withTip(name) }, cut(name, 17))));
  rows.forEach((name, i) => {
    chart.append(svg("text", { x: label - 5, y: top + (i + 0.5) * size + 4, "text-anchor": "end", ...withTip(name) }, cut(name, 21)));
    columns.forEach((_, j) => {
      const v = values[i][j], inside = cell ? cell(i, j) : "";
      chart.append(svg("rect", { x: label + j * size, y: top + i * size, width: size - 1, height: size - 1, fill: known(v) ? tint(v, i, j) : "var(--panel)", opacity: known(v) ? 0.08 + 0.92 * Math.min(Math.abs(v), 1) : 1, ...withTip(text(i, j)) }));
      if (inside && size >= 20) chart.append(svg("text", { x: label + (j + 0.5) * size, y: top + (i + 0.5) * size + 4, "text-anchor": "middle", "pointer-events": "none", style: Math.abs(v) > 0.6 ? "fill:var(--back)" : "" }, inside));
    });
  });
  chart.append(svg("text", { class: "soft", x: label, y: h - 6 }, `rows: ${yTitle}, columns: ${xTitle}`));
  return el("figure", {}, el("figcaption", {}, title), el("div", { class: "wide" }, chart), note && el("p", { class: "soft" }, note));
}
