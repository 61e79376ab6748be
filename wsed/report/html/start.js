// Puts the sections in place, and draws charts anew when the width changes.
const SECTIONS = [
  ["scores", "Scores", scores], ["classes", "Classes", classes], ["clips", "Clips", browser], ["thresholds", "Thresholds", thresholds],
  ["rocs", "PSD-ROC", rocs], ["errors", "Errors", errors], ["recall", "Recall", recall], ["reliability", "Reliability", reliability],
  ["correlation", "Correlation of classes", correlation], ["learning", "Learning curves", learning], ["configuration", "Configuration", configuration],
];
const main = document.getElementById("main");

function put(id, title, make) {
  const parts = make();
  const section = el("section", { id }, el("h2", {}, title), parts);
  const old = document.getElementById(id);
  if (old) old.replaceWith(section); else if (parts) main.append(section);
  return Boolean(parts);
}

const themeOf = () => document.documentElement.dataset.theme;
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const theme = el("button", { type: "button", title: "light or dark", onclick: () => { document.documentElement.dataset.theme = themeOf() === "dark" ? "light" : "dark"; } }, "light / dark");

main.replaceChildren();
document.body.append(tip);
document.getElementById("head").append(...head().flat(Infinity).filter(Boolean));
const there = SECTIONS.filter((section) => put(...section));
document.getElementById("nav").append(...there.map(([id, title]) => el("a", { href: `#${id}` }, title)), theme);
document.getElementById("foot").append(el("p", {}, `Written by wsed ${DATA.version} on ${DATA.written}. The page needs no network.`));

let width = main.clientWidth, waiting = 0;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (main.clientWidth === width) return;
    width = main.clientWidth;
    there.filter(([id]) => id !== "clips").forEach((section) => put(...section));
    drawClip();
  }, 200);
});
document.documentElement.dataset.ready = String(Math.round(performance.now()));
