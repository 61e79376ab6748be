// The browser of clips: a list, and the chosen clip with picture, curves, events and sound.
const PALETTE = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];
const SORTS = { errors: "most errors first", sure: "surest false event first", missed: "longest missed event first", ...(several ? { apart: "systems disagree most first" } : {}), name: "by name" };
const view = { label: "", kind: "", sort: "errors", text: "", shown: [], place: 0, until: null };
const parts = {};

const kindsOf = (clip, label) => {
  const kinds = new Set();
  clip.systems.forEach((s) => {
    clip.true.forEach((event, i) => (!label || event[0] === label) && kinds.add(s.kinds[i]));
    s.events.forEach((event) => (!label || event[0] === label) && kinds.add(event[3]));
  });
  return kinds;
};
const errorsOf = (clip) => clip.systems.reduce((sum, s) => sum + s.errors, 0);
const surest = (clip) => Math.max(-1, ...clip.systems.flatMap((s) => s.events.map((e, i) => (e[3] === KIND.false ? s.confidence[i] ?? 0 : -1))));
const longestMissed = (clip) => Math.max(-1, ...clip.systems.flatMap((s) => clip.true.map((e, i) => (s.kinds[i] === KIND.missed ? e[2] - e[1] : -1))));

function filtered() {
  let list = view.sort === "name" ? DATA.clips.map((_, i) => i) : [...DATA.order];
  const key = { sure: surest, missed: longestMissed, apart: (clip) => clip.apart }[view.sort];
  if (view.sort === "name") list.sort((a, b) => DATA.clips[a].id.localeCompare(DATA.clips[b].id));
  else if (key) list.sort((a, b) => key(DATA.clips[b]) - key(DATA.clips[a]));
  else list.sort((a, b) => errorsOf(DATA.clips[b]) - errorsOf(DATA.clips[a]));
  return list.filter((i) => {
    const clip = DATA.clips[i];
    if (view.text && !clip.id.toLowerCase().includes(view.text.toLowerCase())) return false;
    const kinds = kindsOf(clip, view.label);
    return (!view.label || kinds.size) && (view.kind === "" || kinds.has(Number(view.kind)));
  });
}

function browser() {
  const option = (value, text) => el("option", { value }, text);
  const pick = (name, title, options) => el("select", { id: `by-${name}`, "aria-label": title, onchange: (e) => { view[name] = e.target.value; refill(); } }, options);
  parts.label = pick("label", "class", [option("", "all classes"), ...DATA.labels.map((l) => option(l, l))]);
  const judged = systems.some((s) => s.judged);
  parts.kind = judged && pick("kind", "kind of event", [option("", "all kinds"), ...DATA.kinds.map((k, i) => option(i, `${SYMBOL[i]} ${k}`))]);
  parts.sort = pick("sort", "order", Object.entries(SORTS).filter(([key]) => judged || ["apart", "name"].includes(key)).map(([key, text]) => option(key, text)));
  view.sort = judged ? "errors" : "name";
  parts.find = el("input", { type: "search", id: "by-text", placeholder: "name of a clip", "aria-label": "name of a clip", oninput: (e) => { view.text = e.target.value; refill(); } });
  parts.count = el("span", { class: "soft", id: "count" });
  parts.list = el("div", { class: "list", role: "listbox", "aria-label": "clips" });
  parts.clip = el("div", { id: "clip", "aria-live": "polite" });
  const legendOf = judged ? DATA.kinds.map((kind, i) => el("span", {}, el("i", { style: `background:${KIND_COLOUR[i]}` }), `${SYMBOL[i]} ${kind}`)) : [];
  const lines = "Above each curve: true events; below: detected events. Shaded: true. Dashed: threshold; dotted: attention, where the network has it.";
  const keys = [["\u2190 \u2192", "clip before, after"], ["space", "play, pause"], ["e", "next kind of error"], ["c", "next class"], ["s", "next order"], ["1\u20139", "play an event"]];
  refill();
  return [
    el("p", { class: "soft" }, keys.map(([key, text]) => [el("kbd", {}, key), ` ${text} \u00a0 `]), "Or click an event to hear it."),
    el("div", { class: "tools" }, parts.label, parts.kind, parts.sort, parts.find, parts.count),
    el("div", { class: "legend" }, legendOf, el("span", {}, lines)),
    el("div", { class: "browser" }, parts.list, parts.clip),
  ];
}

function refill() {
  view.shown = filtered();
  view.place = 0;
  parts.count.textContent = `${view.shown.length} of ${DATA.clips.length} clips`;
  parts.list.replaceChildren(...view.shown.map((i, place) => {
    const clip = DATA.clips[i], number = view.sort === "apart" ? `${clip.apart} s` : systems.some((s) => s.judged) ? clip.systems.map((s) => s.errors).join(" / ") : "";
    return el("button", { type: "button", role: "option", title: clip.id, onclick: () => go(place) }, el("span", {}, clip.id), el("span", {}, number));
  }));
  go(0);
}

function go(place) {
  if (place < 0 || (place >= view.shown.length && view.shown.length)) return;
  const old = parts.list.children[view.place];
  if (old) old.removeAttribute("aria-current");
  view.place = place;
  const now = parts.list.children[place];
  if (now) {
    now.setAttribute("aria-current", "true");
    const { offsetTop: top, offsetHeight: tall } = now, list = parts.list;
    if (top - list.offsetTop < list.scrollTop || top - list.offsetTop + tall > list.scrollTop + list.clientHeight) list.scrollTop = top - list.offsetTop - list.clientHeight / 2;
  }
  drawClip();
}

function mediaOf(i) {
  const block = document.getElementById(`clip-${i}`);
  return block ? JSON.parse(block.textContent) : null;
}

function drawClip() {
  if (parts.audio) parts.audio.pause();
  parts.audio = null;
  const i = view.shown[view.place];
  if (i === undefined) { parts.clip.replaceChildren(el("p", {}, "No clip fits.")); return; }
  const clip = DATA.clips[i], media = mediaOf(i);
  const canvas = el("canvas", { width: 640, height: 64, role: "img", "aria-label": `log-mel spectrogram of ${clip.id}` });
  parts.cursor = el("div", { class: "cursor" });
  const lanes = laneChart(clip, media);
  const box = el("div", { class: "clip", onclick: (event) => seek(event, box, clip) }, canvas, lanes, parts.cursor);
  const notes = [];
  if (!media) notes.push(document.readyState === "loading" ? "Loading." : "Pictures and sounds are on this page for the clips with the most errors only (--pictures, --sounds).");
  else if (media.missing) notes.push(`Without picture and sound: ${media.missing}`);
  else if (!media.picture) notes.push("Without picture and sound: no sound file of this clip is known.");
  else if (!media.sound) notes.push("Without sound: it is on this page for the clips with the most errors only (--sounds).");
  if (media && media.picture) paint(canvas, media.picture); else canvas.style.display = "none";
  if (media && media.sound) {
    parts.audio = el("audio", { controls: "", preload: "auto", src: `data:audio/mpeg;base64,${media.sound}` });
    parts.audio.addEventListener("timeupdate", moveCursor);
    parts.audio.addEventListener("play", () => requestAnimationFrame(follow));
  }
  const title = el("h3", { class: "break" }, clip.id, el("span", { class: "soft" }, `  ${clip.seconds.toFixed(1)} s, clip ${view.place + 1} of ${view.shown.length}`));
  parts.clip.replaceChildren(title, box, parts.audio || "", ...notes.map((text) => el("p", { class: "soft break" }, text)));
}

function paint(canvas, jpeg) {
  const image = new Image();
  image.onload = () => {
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height);
    for (let k = 0; k < pixels.data.length; k += 4) {
      const x = (pixels.data[k] / 255) * (PALETTE.length - 1), low = Math.min(Math.floor(x), PALETTE.length - 2);
      for (let c = 0; c < 3; c += 1) pixels.data[k + c] = PALETTE[low][c] + (x - low) * (PALETTE[low + 1][c] - PALETTE[low][c]);
    }
    context.putImageData(pixels, 0, 0);
    canvas.dataset.painted = "true";
  };
  image.src = `data:image/jpeg;base64,${jpeg}`;
}

// One lane a class: true events above, curves, detected events below; one row of detected events a system.
function laneChart(clip, media) {
  const width = Math.max(260, (parts.clip.clientWidth || 800)), px = (t) => (t / clip.seconds) * width;
  const curves = ((media && media.curves) || []).map((c) => c || { labels: [] });
  const labels = [...new Set([...clip.true, ...clip.systems.flatMap((s) => s.events)].map((e) => e[0]).concat(...curves.map((c) => c.labels)))].slice(0, 40);
  const bar = 12, curve = curves.some((c) => c.labels.length) ? 46 : 4, tall = 18 + bar + curve + clip.systems.length * bar + 6;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${labels.length * tall + 20}`, width: "100%", role: "img", "aria-label": "events and score curves" });
  let number = 0;
  view.events = [];
  const eventBar = (event, kind, y, text, outline) => {
    const [, onset, offset] = event, wide = Math.max(px(offset) - px(onset), 3), judged = kind >= 0;
    const colourOf = judged ? KIND_COLOUR[kind] : "var(--soft)";
    view.events.push([onset, offset]);
    number += 1;
    const group = svg("g", { class: "event", "data-kind": judged ? DATA.kinds[kind] : "", style: "cursor:pointer", onclick: (e) => { e.stopPropagation(); playFrom(onset, offset); }, ...withTip(`${text}\n${onset.toFixed(2)} to ${offset.toFixed(2)} s`) });
    group.append(svg("rect", { x: px(onset), y, width: wide, height: bar - 2, rx: 2, fill: outline ? "var(--back)" : colourOf, stroke: colourOf, "stroke-width": 1.5, "stroke-dasharray": outline ? "3 2" : null }));
    if (wide > 12 && judged) group.append(svg("text", { x: px(onset) + 3, y: y + 9, style: `font-size:10px;fill:${outline ? colourOf : "var(--back)"}` }, SYMBOL[kind]));
    return group;
  };
  labels.forEach((label, row) => {
    const y = row * tall, mid = y + 16 + bar;
    chart.append(svg("line", { class: "grid", x1: 0, x2: width, y1: y + 1, y2: y + 1 }), svg("text", { x: 2, y: y + 13 }, label));
    clip.true.filter((e) => e[0] === label).forEach((e) => chart.append(svg("rect", { x: px(e[1]), y: mid, width: Math.max(px(e[2]) - px(e[1]), 1), height: curve, fill: "var(--true)", opacity: 0.16 })));
    curves.forEach((c, i) => drawCurve(chart, c, label, width, mid, curve, colour(several ? i : 0)));
    clip.true.forEach((e, k) => {
      if (e[0] !== label) return;
      const kinds = clip.systems.map((s) => s.kinds[k]), kind = Math.max(...kinds);
      chart.append(eventBar(e, kind, y + 16, `true ${label}: ${kinds.map((q, i) => `${several ? `${shortNames[i]}: ` : ""}${DATA.kinds[q] || "not judged"}`).join("; ")}`, kind === KIND.missed));
    });
    clip.systems.forEach((s, i) => s.events.forEach((e, k) => {
      if (e[0] !== label) return;
      const sure = known(s.confidence[k]) ? `, confidence ${s.confidence[k]}` : "";
      chart.append(eventBar(e, e[3], mid + curve + 2 + i * bar, `${several ? `${shortNames[i]}: ` : ""}detected ${label}: ${DATA.kinds[e[3]] || "not judged"}${sure}`, false));
    }));
  });
  for (const t of ticks(0, clip.seconds, width < 500 ? 4 : 10)) chart.append(svg("text", { class: "soft", x: Math.min(px(t), width - 14), y: labels.length * tall + 14, "text-anchor": t ? "middle" : "start" }, `${t} s`));
  return chart;
}

function drawCurve(chart, curves, label, width, y, tall, stroke) {
  const k = curves.labels.indexOf(label);
  if (k < 0) return;
  const n = curves.points;
  const draw = (text, attributes) => {
    const bytes = atob(text);
    let path = "";
    for (let j = 0; j < n; j += 1) path += `${j ? "L" : "M"}${(((j + 0.5) / n) * width).toFixed(1)} ${(y + tall - (bytes.charCodeAt(k * n + j) / 255) * tall).toFixed(1)}`;
    chart.append(svg("path", { d: path, fill: "none", stroke, "pointer-events": "none", ...attributes }));
  };
  draw(curves.values, { "stroke-width": 1.6 });
  if (curves.attention) draw(curves.attention, { "stroke-width": 1.2, "stroke-dasharray": "2 3", class: "attention" });
  if (curves.thresholds.length) {
    const at = y + tall - curves.thresholds[k] * tall;
    chart.append(svg("line", { x1: 0, x2: width, y1: at, y2: at, stroke, "stroke-width": 0.8, "stroke-dasharray": "3 3", opacity: 0.7 }));
  }
}

function playFrom(onset, offset) {
  if (!parts.audio) return;
  view.until = offset + 0.3;
  parts.audio.currentTime = Math.max(onset - 0.3, 0);
  parts.audio.play().catch(() => {});
}

function seek(event, box, clip) {
  if (!parts.audio) return;
  const place = box.getBoundingClientRect();
  view.until = null;
  parts.audio.currentTime = ((event.clientX - place.left) / place.width) * clip.seconds;
  moveCursor();
}

function moveCursor() {
  if (!parts.audio) return;
  const clip = DATA.clips[view.shown[view.place]];
  parts.cursor.style.display = "block";
  parts.cursor.style.left = `${Math.min(100, (100 * parts.audio.currentTime) / clip.seconds)}%`;
}

function follow() {
  if (!parts.audio || parts.audio.paused) return;
  moveCursor();
  if (view.until !== null && parts.audio.currentTime >= view.until) { parts.audio.pause(); view.until = null; return; }
  requestAnimationFrame(follow);
}

const nextOption = (select) => {
  if (!select) return;
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  select.dispatchEvent(new Event("change"));
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const actions = {
    ArrowRight: () => go(view.place + 1), j: () => go(view.place + 1), ArrowLeft: () => go(view.place - 1), k: () => go(view.place - 1),
    e: () => nextOption(parts.kind), c: () => nextOption(parts.label), s: () => nextOption(parts.sort),
    " ": () => { if (parts.audio) { view.until = null; if (parts.audio.paused) parts.audio.play().catch(() => {}); else parts.audio.pause(); } },
  };
  const nth = /^[1-9]$/.test(event.key) ? view.events[Number(event.key) - 1] : null;
  if (!actions[event.key] && !nth) return;
  event.preventDefault();
  if (nth) playFrom(...nth); else actions[event.key]();
});
document.addEventListener("DOMContentLoaded", () => view.shown.length && drawClip()); // pictures and sounds follow the scripts
