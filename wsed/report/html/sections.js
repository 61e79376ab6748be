// The sections of the page. Each function returns its parts, or null where there is nothing to show.
const systems = DATA.systems;
const seriesOf = (list = systems) => list.map((s) => ({ name: shortNames[systems.indexOf(s)], colour: colour(systems.indexOf(s)) }));

function head() {
  const seconds = DATA.clips.reduce((sum, clip) => sum + clip.seconds, 0);
  const names = systems.map((s, i) => el("div", { class: "break" }, several && el("i", { style: `display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;background:${colour(i)}` }), s.name));
  const notes = [...DATA.notes, ...systems.flatMap((s, i) => s.notes.map((n) => (several ? `${shortNames[i]}: ${n}` : n)))];
  const alarms = systems.filter((s) => s.too_good).map((s) => `${s.name}: the decoder was tuned on these clips, so the scores are too good`);
  return [
    names,
    el("p", { class: "soft" }, `${DATA.clips.length} clips, ${(seconds / 60).toFixed(1)} minutes, ${DATA.labels.length} classes`),
    [...new Set(alarms)].map((n) => el("div", { class: "note alarm" }, n)),
    [...new Set(notes)].map((n) => el("div", { class: "note" }, n)),
  ];
}

function scores() {
  if (!systems.some((s) => s.scores.length)) return null;
  const level = systems.map((s) => s.level).find(known);
  const groups = systems.map((s) => s.groups).find(known);
  const metrics = [...new Map(systems.flatMap((s) => s.scores.map((m) => [m.name, m]))).values()];
  const cell = (system, metric, number) => {
    const found = system.scores.find((m) => m.name === metric.name), of = found && found.numbers[number];
    if (!of) return el("td", { class: "n" }, "\u2013");
    const text = number === "value" ? (x) => fixed(x) : percent;
    return el("td", { class: "n" }, text(of[0]), of.length > 1 && el("small", {}, `${text(of[1])} to ${text(of[2])}`));
  };
  const rows = metrics.flatMap((metric) => Object.keys(metric.numbers).map((number, i) => el("tr", {},
    el("td", {}, number === "value" ? metric.title : `${metric.title}, ${number}`, i === 0 && metric.meaning && el("small", {}, metric.meaning)),
    systems.map((s) => cell(s, metric, number)))));
  const columns = [el("th", {}, "metric"), ...systems.map((_, i) => el("th", { class: "n" }, several ? shortNames[i] : "score"))];
  return [
    el("p", { class: "soft" }, "F1 in per cent; PSDS and areas as fractions. Macro: mean over classes. Micro: all events together.",
      known(level) && ` Small: ${100 * level} % interval of a bootstrap over ${known(groups) ? `${groups} groups of ` : ""}clips. It says how far another draw of clips may move the score; the seed of the training moves it further.`),
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, columns)), el("tbody", {}, rows))),
    DATA.comparisons.map(differences),
  ];
}

function differences(comparison) {
  const text = (row, x) => (row.number === "value" ? fixed(x) : percent(x));
  const rows = comparison.rows.map((row) => {
    const sure = known(row.low) && (row.low > 0 || row.high < 0);
    return el("tr", {}, el("td", {}, row.number === "value" ? row.metric : `${row.metric}, ${row.number}`),
      el("td", { class: "n" }, text(row, row.first)), el("td", { class: "n" }, text(row, row.second)),
      el("td", { class: "n" }, sure ? el("b", {}, signed(row.difference, (x) => text(row, x))) : signed(row.difference, (x) => text(row, x))),
      el("td", { class: "n" }, `${signed(row.low, (x) => text(row, x))} to ${signed(row.high, (x) => text(row, x))}`),
      el("td", { class: "n" }, fixed(row.p)));
  });
  const titles = ["paired difference", shortNames[comparison.first], shortNames[comparison.second], "difference", `${100 * comparison.level} % interval`, "p"];
  return [
    el("h3", {}, `${shortNames[comparison.second]} minus ${shortNames[comparison.first]}`),
    el("p", { class: "soft" }, "Both are scored on the same resamples of the clips. Bold: the interval leaves out 0."),
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, titles.map((t, i) => el("th", { class: i && "n" }, t)))), el("tbody", {}, rows))),
  ];
}

function classes() {
  const metrics = [...new Map(systems.flatMap((s) => s.scores.filter((m) => Object.keys(m.classes).length).map((m) => [m.name, m]))).values()];
  if (!metrics.length) return null;
  const of = (system, name) => (system.scores.find((m) => m.name === name) || { classes: {} }).classes;
  const counts = Object.assign({}, ...systems.flatMap((s) => s.scores.map((m) => m.n_ref || {})));
  const box = el("div"), pick = el("select", { "aria-label": "metric of the bars", onchange: () => draw(pick.value) }, metrics.map((m) => el("option", { value: m.name }, m.title)));
  const draw = (name) => {
    const rows = DATA.labels.map((label) => ({ name: label, values: systems.map((s) => of(s, name)[label]), n: counts[label] || 0 }));
    rows.forEach((row) => { row.texts = row.values.map((v, i) => `${row.name}${several ? `, ${shortNames[i]}` : ""}: ${percent(v)} (${row.n} true)`); });
    const apart = (r) => Math.max(...r.values.filter(known), 0) - Math.min(...r.values.filter(known), 1);
    rows.sort((a, b) => (several && rows.length > 30 ? apart(b) - apart(a) : b.n - a.n));
    box.replaceChildren(barChart({ title: metrics.find((m) => m.name === name).title, rows, series: seriesOf(), x: "per cent" }));
  };
  draw(metrics[0].name);
  const shown = several ? metrics.slice(0, 1) : metrics;
  const head = ["class", ...(several ? systems.map((_, i) => `${metrics[0].title}, ${shortNames[i]}`) : shown.map((m) => m.title)), "true"];
  const rows = DATA.labels.map((label) => [label,
    ...(several ? systems.map((s) => of(s, metrics[0].name)[label]) : shown.map((m) => of(systems[0], m.name)[label])).map((v) => ({ text: percent(v), sort: known(v) ? v : -1 })),
    { text: String(counts[label] || 0), sort: counts[label] || 0 }]);
  return [el("div", { class: "tools" }, pick), el("div", { class: "charts" }, box, sortedTable(head, rows, head.length - 1))];
}

function thresholds() {
  const with_ = systems.filter((s) => s.sweep);
  if (!with_.length) return null;
  const box = el("div", { class: "charts" });
  const pick = el("select", { "aria-label": "class of the curves", onchange: () => draw() }, ["all classes, micro", "all classes, macro", ...DATA.labels].map((name, i) => el("option", { value: i }, name)));
  const draw = () => {
    const i = Number(pick.value), of = (s) => (i === 0 ? s.sweep.micro : i === 1 ? s.sweep.macro : s.sweep.classes[DATA.labels[i - 2]]);
    const chosen = (s) => { const values = Object.values(s.chosen); return i > 1 ? s.chosen[DATA.labels[i - 2]] : new Set(values).size === 1 ? values[0] : undefined; };
    const marks = with_.filter((s) => known(chosen(s))).map((s) => ({ x: chosen(s), text: `chosen: ${chosen(s)}`, colour: colour(systems.indexOf(s)) }));
    const x = with_.flatMap((s) => s.sweep.thresholds), range = [Math.min(...x, 0), Math.max(...x, 1)];
    const f1 = with_.map((s, k) => ({ ...seriesOf(with_)[k], x: s.sweep.thresholds, y: of(s).f1, name: `${several ? `${shortNames[systems.indexOf(s)]}: ` : ""}F1, best ${percent(Math.max(...of(s).f1.filter(known)))} at ${s.sweep.thresholds[of(s).f1.indexOf(Math.max(...of(s).f1.filter(known)))]}` }));
    const parts = several ? [] : ["precision", "recall"].map((part, k) => ({ name: part, x: with_[0].sweep.thresholds, y: of(with_[0])[part], colour: colour(k + 1) }));
    const curves = with_.map((s, k) => {
      const { recall, precision } = of(s), at = chosen(s);
      const near = s.sweep.thresholds.map((t) => Math.abs(t - at)), best = known(at) ? near.indexOf(Math.min(...near)) : -1;
      return { ...seriesOf(with_)[k], x: recall, y: precision, name: several ? shortNames[systems.indexOf(s)] : "all thresholds", dots: recall.map((_, j) => `threshold ${s.sweep.thresholds[j]}${j === best ? " (nearest to the chosen)" : ""}: precision ${percent(precision[j])}, recall ${percent(recall[j])}`) };
    });
    box.replaceChildren(
      lineChart({ title: "F1 of events over thresholds", series: [...f1, ...parts], x: "threshold", y: several ? "F1" : "F1, precision, recall", xRange: range, marks }),
      lineChart({ title: "Precision and recall of events", series: curves, x: "recall", y: "precision", xRange: [0, 1] }));
  };
  draw();
  return [el("p", { class: "soft" }, "The best threshold of these clips is no fair choice for them: choose it on validation clips (evaluation.tuning)."), el("div", { class: "tools" }, pick), box];
}

function rocs() {
  const names = [...new Set(systems.flatMap((s) => Object.keys(s.rocs)))];
  if (!names.length) return null;
  return [el("p", { class: "soft" }, "The PSDS is the area under the thick curve. It is lowered by how much the classes differ. Thin: single classes."),
    el("div", { class: "charts" }, names.map((name) => {
      const with_ = systems.filter((s) => s.rocs[name]), limit = Math.max(...with_.map((s) => s.rocs[name].limit));
      const thin = several ? [] : Object.entries(with_[0].rocs[name].classes).slice(0, 30).map(([label, [x, y]], i) => ({ name: label, x: [0, ...x], y: [0, ...y], colour: colour(i), faint: true, step: true }));
      const thick = with_.map((s) => ({ name: `${several ? shortNames[systems.indexOf(s)] : "all classes"}: ${fixed(s.rocs[name].value)}`, colour: several ? colour(systems.indexOf(s)) : "var(--text)", x: [0, ...s.rocs[name].all[0]], y: [0, ...s.rocs[name].all[1]], step: true }));
      return lineChart({ title: with_[0].rocs[name].title, series: [...thin, ...thick], x: "effective false positives per hour", y: "effective true positive rate", xRange: [0, limit] });
    }))];
}

function errors() {
  const with_ = systems.filter((s) => s.judged);
  if (!with_.length) return null;
  const rows = with_.map((s) => [shortNames[systems.indexOf(s)], ...[s.true[0], s.true[1], s.true[2], s.true[3], s.events[4]].map((n) => ({ text: String(n), sort: n }))]);
  const table = sortedTable(["events", ...DATA.kinds], rows);
  const explain = "Right: within the collars of event F1. Shifted border: the class is right and the events overlap, but a border is off. Wrong class: at least half in common with a true event of another class. Missed and false: the rest.";
  const maps = systems.filter((s) => s.confusion).map((s) => {
    const { labels, pairs, missed, false: extra } = s.confusion, totals = pairs.map((row, i) => row.reduce((a, b) => a + b, 0) + missed[i]);
    const order = labels.map((_, i) => i).sort((a, b) => totals[b] + extra[b] - totals[a] - extra[a]).slice(0, 30);
    const rest = [...order, -1], name = (i) => (i < 0 ? "(none)" : labels[i]), max = Math.max(...extra, 1);
    const count = (i, j) => (i < 0 ? (j < 0 ? null : extra[j]) : j < 0 ? missed[i] : pairs[i][j]);
    const share = (i, j) => (count(i, j) === null ? null : i < 0 ? count(i, j) / max : totals[i] ? count(i, j) / totals[i] : null);
    return heatmap({ title: `Confusion of events${several ? `: ${shortNames[systems.indexOf(s)]}` : ""}`, rows: rest.map(name), columns: rest.map(name), values: rest.map((i) => rest.map((j) => share(i, j))), cell: (a, b) => String(count(rest[a], rest[b]) || ""),
      text: (a, b) => `${count(rest[a], rest[b]) ?? 0} events: true ${name(rest[a])}, detected ${name(rest[b])}`, tint: (_, a, b) => (rest[a] >= 0 && rest[a] === rest[b] ? "var(--right)" : rest[a] < 0 || rest[b] < 0 ? "var(--soft)" : "var(--false)"), xTitle: "detected", yTitle: "true",
      note: labels.length > 30 ? "The 30 classes with the most events." : "Column (none): missed; row (none): false." });
  });
  return [el("p", { class: "soft" }, explain), table, maps];
}

function recall() {
  const with_ = systems.filter((s) => s.recall.class);
  if (!with_.length) return null;
  const by = [...new Set(with_.flatMap((s) => Object.keys(s.recall)))].filter((name) => name !== "class" || DATA.labels.length > 1);
  const of = (s, name, group) => { const t = s.recall[name], k = t ? t.names.indexOf(group) : -1; return k < 0 ? null : { n: t.n[k], right: t.right[k] / t.n[k], found: t.found[k] / t.n[k] }; };
  return [el("p", { class: "soft" }, several ? "Share of true events within the collars of event F1." : "Share of true events that are found at all (right or with a shifted border), and within the collars of event F1."),
    el("div", { class: "charts" }, by.map((name) => {
      const groups = with_.map((s) => s.recall[name].names).sort((a, b) => b.length - a.length)[0];
      const series = several ? seriesOf(with_) : [{ name: "found", colour: colour(5) }, { name: "right", colour: colour(0) }];
      let rows = groups.map((group) => {
        const cells = with_.map((s) => of(s, name, group)), n = (cells.find(Boolean) || { n: 0 }).n;
        const values = several ? cells.map((c) => c && c.right) : [cells[0].found, cells[0].right];
        return { name: `${group} (${n})`, n, values, texts: values.map((v, i) => `${group}: ${series[i].name} ${percent(v)} of ${n} events`) };
      });
      if (name === "class") rows = rows.sort((a, b) => b.n - a.n);
      return barChart({ title: `Recall by ${name}`, rows, series, x: "per cent" });
    }))];
}

function reliability() {
  const kinds = { frames: "frames: score, and share of frames in which the class is active", clips: "clips: score, and share of clips that hold the class", events: "detected events: confidence, and share that is right or has a shifted border" };
  const names = Object.keys(kinds).filter((kind) => systems.some((s) => s.reliability[kind]));
  if (!names.length) return null;
  return [el("p", { class: "soft" }, "On the diagonal a score means what it says: of what has 0.7, 70 % is true. Below it, the system is too sure. The error is the mean distance (expected calibration error)."),
    el("div", { class: "charts" }, names.map((kind) => lineChart({ title: `Reliability of ${kinds[kind]}`, x: "score", y: "share that is true", xRange: [0, 1], diagonal: true,
      series: systems.filter((s) => s.reliability[kind]).map((s) => { const r = s.reliability[kind]; return { x: r.mean, y: r.share, colour: colour(systems.indexOf(s)), name: `${several ? `${shortNames[systems.indexOf(s)]}: ` : ""}error ${fixed(r.error)}`, dots: r.n.map((n, i) => `score ${fixed(r.mean[i], 2)}: ${percent(r.share[i])} % of ${n}`) }; }) })))];
}

function correlation() {
  const with_ = systems.filter((s) => s.correlation);
  if (!with_.length) return null;
  return [el("p", { class: "soft" }, "Correlation of the mean scores of two classes over clips. High values between classes that do not occur together: the network confuses them."),
    with_.map((s) => { const { labels, matrix, mean_positive: mean } = s.correlation, n = Math.min(labels.length, 30);
      return heatmap({ title: `${several ? `${shortNames[systems.indexOf(s)]}: ` : ""}mean of positive values ${fixed(mean)}`, rows: labels.slice(0, n), columns: labels.slice(0, n), values: matrix.slice(0, n).map((row, i) => row.slice(0, n).map((v, j) => (i === j ? null : v))), text: (i, j) => `${labels[i]}, ${labels[j]}: ${fixed(matrix[i][j], 2)}`, tint: (v) => (v < 0 ? "var(--c1)" : "var(--c0)"), xTitle: "class", yTitle: "class", note: "Blue: positive, orange: negative." + (labels.length > n ? " The first 30 classes." : "") }); })];
}

function learning() {
  const with_ = systems.filter((s) => s.learning);
  if (!with_.length) return null;
  const names = [...new Set(with_.flatMap((s) => Object.keys(s.learning.values)))];
  const groups = [["Losses", names.filter((n) => n.includes("loss"))], ["Validation metrics", names.filter((n) => n.startsWith("val/") && !n.includes("loss") && !n.endsWith("_micro") && n !== "val/score")]];
  return [el("div", { class: "charts" }, groups.filter(([, list]) => list.length).map(([title, list]) => {
    const kept = several ? list.filter((n) => ["train/loss", "val/loss", "val/event_f1"].includes(n)) : list;
    const series = with_.flatMap((s) => kept.filter((n) => s.learning.values[n]).map((n, k) => ({ name: several ? `${shortNames[systems.indexOf(s)]}: ${n}` : n, x: s.learning.epochs, y: s.learning.values[n], colour: several ? colour(systems.indexOf(s)) : colour(k), faint: several && k > 0 })));
    const top = Math.max(...series.flatMap((s) => s.y.filter(known)), 1e-3);
    return series.length ? lineChart({ title, series, x: "epoch", y: "value", yRange: [Math.min(0, ...series.flatMap((s) => s.y.filter(known))), title === "Losses" ? top : Math.min(1, top * 1.1)] }) : null;
  }))];
}

function configuration() {
  const with_ = systems.filter((s) => s.config || Object.keys(s.facts).length);
  if (!with_.length) return null;
  return with_.map((s) => el("details", { open: !several && with_.length === 1 ? "" : null },
    el("summary", { class: "break" }, s.name),
    el("p", { class: "soft break" }, Object.entries(s.facts).map(([name, value]) => `${name}: ${value}`).join("; ")), s.config && el("pre", {}, s.config)));
}
