// Several runs side by side: what differs, scores of one protocol, curves, images of equal seeds.

import { h, post, empty, failure, loading, sampleAddress } from "./page.js";
import { COLOURS, colourMark, groupCurves, lineChart } from "./charts.js";

const MOST = 6;
const SEEDS = 6;

export function showComparison(view, app) {
  const known = () => [...app.runs.values()].filter((run) => !run.error);
  if (!app.known) { view.root.replaceChildren(loading()); return; }
  for (const id of app.chosen) if (!app.runs.has(id)) app.chosen.delete(id);
  const body = h("div", { className: "stack" });
  const chooser = h("details", { className: "panel", open: app.chosen.size < 2 });
  view.root.replaceChildren(h("div", { className: "stack" }, h("h1", {}, "Compare runs"), chooser, body));
  const search = h("input", { type: "search", placeholder: "filter", ariaLabel: "Filter", oninput: drawChoices });
  const choices = h("div", { className: "choices" });
  const title = h("summary");
  chooser.append(title, search, choices);

  function drawChoices() {
    title.textContent = `Runs (${app.chosen.size} of at most ${MOST})`;
    const words = search.value.toLowerCase();
    const found = known().filter((run) => run.path.toLowerCase().includes(words)).slice(0, 200);
    choices.replaceChildren(...found.map((run) => {
      const tick = h("input", { type: "checkbox", checked: app.chosen.has(run.id),
        disabled: app.chosen.size >= MOST && !app.chosen.has(run.id), onchange: () => {
          if (tick.checked) app.chosen.add(run.id); else app.chosen.delete(run.id);
          drawChoices();
          draw();
        } });
      return h("label", { className: "cut" }, tick, ` ${run.name} `, h("span", { className: "soft small" }, run.method));
    }));
  }

  let newest = 0;
  async function draw() {
    const turn = newest += 1;
    const runs = [...app.chosen].slice(0, MOST).map((id) => app.runs.get(id));
    if (runs.length < 2) {
      body.replaceChildren(empty("Choose two runs or more", h("p", {}, "Settings that differ, scores of one protocol, curves and images of equal seeds then stand side by side.")));
      return;
    }
    body.replaceChildren(loading("Comparing"));
    try {
      const found = await post("api/compare", { runs: runs.map((run) => run.id) });
      if (!view.left && turn === newest) show(runs, found);
    } catch (error) {
      if (!view.left && turn === newest) body.replaceChildren(failure(error, draw));
    }
  }

  function show(runs, found) {
    const heading = h("tr", {}, h("th"), found.names.map((name, place) => h("th", { scope: "col" }, colourMark(COLOURS[place]), h("a", { href: `#/run/${runs[place].id}` }, name))));
    const rows = (table) => table.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", {}, cell))));
    const table = (rowsOf) => h("div", { className: "table" }, h("table", { className: "side" }, h("thead", {}, heading.cloneNode(true)), h("tbody", {}, rowsOf)));
    body.replaceChildren(
      h("section", { className: "panel" }, h("h2", {}, "How they do"), table(rows(found.facts)),
        found.notes.map((note) => h("p", { className: "soft small" }, note))),
      h("section", { className: "panel" }, h("h2", {}, "Settings that differ"), found.settings.length ? table(rows(found.settings)) : h("p", { className: "soft" }, "none")),
      h("section", { className: "panel" }, h("h2", {}, "Images of equal seeds"), runs.map((run, place) => h("div", { className: "same" },
        h("div", { className: "cut small" }, colourMark(COLOURS[place]), found.names[place]),
        h("div", { className: "wall" }, Array.from({ length: SEEDS }, (_, seed) => {
          const image = h("img", { className: "pix", alt: `seed ${seed} of ${run.name}`, loading: "lazy", src: sampleAddress({ run, state: "newest" }, seed, null, null) });
          const tile = h("div", { className: "tile" }, image, h("span", {}, seed));
          image.addEventListener("error", () => { tile.classList.add("failed"); image.hidden = true; });
          return tile;
        }))))),
      h("div", { className: "charts" }, charts(found)));
  }

  function charts(found) {
    const byTitle = new Map();
    found.curves.forEach((curves, place) => groupCurves(curves).filter((group) => group.main).forEach((group) => group.series.forEach((one) => {
      const key = `${group.title} · ${one.name}`;
      if (!byTitle.has(key)) byTitle.set(key, { chance: group.chance ?? null, series: [] });
      byTitle.get(key).series.push({ name: found.names[place], points: one.points, colour: COLOURS[place] });
    })));
    return [...byTitle].map(([title, { chance, series }]) => lineChart(title, series, chance));
  }
  drawChoices();
  draw();
}
