// The dashboard: all runs as they go, and one run with its curves, health, samples and settings.

import { h, get, age, badge, empty, failure, field, loading, needsAttention, newestOnly, noRuns, number, short } from "./page.js";
import { groupCurves, lineChart } from "./charts.js";

const PART = 60; // rows shown at first, and by each "more"
const ORDERS = {
  newest: ["newest first", (a, b) => b.changed - a.changed],
  name: ["by name", (a, b) => a.name.localeCompare(b.name, "en", { numeric: true })],
  health: ["attention first", (a, b) => needsAttention(b) - needsAttention(a) || b.changed - a.changed],
  best: ["best score first", (a, b) => (a.best?.value ?? Infinity) - (b.best?.value ?? Infinity)],
};
const kept = { words: "", order: "newest", shown: PART };

export function showRuns(view, app) {
  if (!app.known) { view.root.replaceChildren(loading("Reading the runs")); return; }
  const search = h("input", { type: "search", placeholder: "name, method, data, health", value: kept.words,
    ariaLabel: "Filter", oninput: () => { kept.words = search.value; kept.shown = PART; draw(); } });
  const order = h("select", { onchange: () => { kept.order = order.value; draw(); } },
    Object.entries(ORDERS).map(([key, [words]]) => h("option", { value: key, selected: key === kept.order }, words)));
  const compare = h("a", { className: "button", href: "#/compare" });
  const title = h("h1", {}, "Runs");
  const counts = h("p", { className: "soft" });
  const tools = h("div", { className: "tools" }, field("Filter", search), field("Order", order), compare);
  const list = h("div");
  const others = h("div");
  const rows = new Map();
  view.root.replaceChildren(title, counts, tools, list, others);

  function draw(changed = null) {
    const all = [...app.runs.values()];
    tools.hidden = !all.length;
    const training = all.filter((run) => run.process).length;
    const ill = all.filter(needsAttention).length;
    counts.textContent = all.length
      ? [`${number(all.length)} ${all.length === 1 ? "run" : "runs"}`, training ? `${training} in training` : null,
        ill ? `${ill} to look into` : null, app.folder ? `in ${app.folder.root}` : null].filter(Boolean).join(" · ")
      : "";
    compare.hidden = app.chosen.size < 2;
    compare.textContent = `Compare ${app.chosen.size} runs`;
    const words = kept.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((run) => {
      const text = [run.path, run.method, run.data, run.health, run.process ? "training" : "", run.error ?? ""].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    }).sort(ORDERS[kept.order][1]);
    for (const run of found.slice(0, kept.shown)) {
      if (!rows.has(run.id) || changed === null || changed.has(run.id)) rows.set(run.id, drawRow(run, app, draw));
    }
    const visible = found.slice(0, kept.shown).map((run) => rows.get(run.id));
    if (!all.length) list.replaceChildren(noRuns());
    else if (!found.length) list.replaceChildren(empty("No run has these words", h("p", {}, `Filter: ${kept.words}`)));
    else list.replaceChildren(h("div", { className: "list" }, visible), more(found.length));
    const reasons = app.folder?.others ?? [];
    others.replaceChildren(...(reasons.length ? [h("details", { className: "small soft" },
      h("summary", {}, "Folders without a run"), h("ul", {}, reasons.map((one) => h("li", {}, one))))] : []));
  }

  function more(count) {
    if (count <= kept.shown) return "";
    return h("p", { className: "row" },
      h("button", { onclick: () => { kept.shown += PART; draw(new Set()); } }, `Show ${Math.min(PART, count - kept.shown)} more`),
      h("span", { className: "soft" }, `${number(kept.shown)} of ${number(count)} are shown`));
  }

  draw();
  view.update = draw;
  const clock = setInterval(() => {
    for (const [id, row] of rows) {
      const run = app.runs.get(id);
      if (run) row.querySelector(".age").textContent = age(Date.now() / 1000 - run.changed);
    }
  }, 10000);
  view.onLeave(() => clearInterval(clock));
}

function drawRow(run, app, draw) {
  const tick = h("input", { type: "checkbox", checked: app.chosen.has(run.id), disabled: Boolean(run.error),
    ariaLabel: `choose ${run.name} to compare`, onchange: () => {
      if (tick.checked) app.chosen.add(run.id); else app.chosen.delete(run.id);
      draw(new Set());
    } });
  if (run.error) {
    return h("div", { className: "run" }, tick,
      h("div", {}, h("span", { className: "name" }, run.name), h("div", { className: "small soft" }, run.error)),
      h("div", { className: "progress" }), h("div", { className: "state" }, badge(null)), h("div", { className: "best" }),
      h("div", { className: "age soft small" }, age(Date.now() / 1000 - run.changed)));
  }
  return h("div", { className: "run" }, tick,
    h("div", {}, h("a", { className: "name", href: `#/run/${run.id}`, title: run.path }, run.name),
      h("div", { className: "small soft cut", title: run.data }, `${run.method} · ${run.data}`)),
    h("div", { className: "progress" }, progressBar(run),
      h("div", { className: "small soft" }, `${number(run.step)} of ${number(run.total_steps)} `,
        run.process ? h("span", { className: "now" }, "training") : run.finished ? "finished" : "stopped")),
    h("div", { className: "state" }, badge(run.health)),
    h("div", { className: "best small soft" }, run.best
      ? `${run.best.metric} ${short(run.best.value)} at ${number(run.best.step)}` : "not evaluated"),
    h("div", { className: "age soft small" }, age(Date.now() / 1000 - run.changed)));
}

function progressBar(run) {
  const share = run.total_steps ? Math.min(1, run.step / run.total_steps) : 0;
  const fill = h("i");
  fill.style.width = `${100 * share}%`;
  return h("div", { className: `bar${run.finished ? " done" : ""}`, role: "progressbar", ariaLabel: "progress",
    ariaValueNow: String(Math.round(100 * share)), ariaValueMin: "0", ariaValueMax: "100" }, fill);
}

export function showRun(view, app, id) {
  if (!app.known) { view.root.replaceChildren(loading()); return; }
  const run = app.runs.get(id);
  if (!run) {
    view.root.replaceChildren(empty("This run is not here", h("p", {}, "It may have been moved or removed."),
      h("a", { className: "button", href: "#/" }, "All runs")));
    return;
  }
  app.current = id;
  document.title = `${run.name} - ssgan`;
  const head = h("div", { className: "panel stack" });
  const body = h("div", { className: "stack" }, loading("Reading the log"));
  view.root.replaceChildren(h("div", { className: "stack" }, head, body));
  const drawHead = () => head.replaceChildren(...headOf(app.runs.get(id) ?? run));
  const opened = new Set(); // which details a reader has opened
  let sheetStep = null;
  let took = 0; // milliseconds of the last reading
  const read = newestOnly(async () => {
    const began = performance.now();
    try {
      const [details, curves] = await Promise.all([get(`api/runs/${id}/details`), get(`api/runs/${id}/curves`)]);
      if (!view.left) drawBody(details, curves);
    } catch (error) {
      if (!view.left) body.replaceChildren(failure(error, read));
    }
    took = performance.now() - began;
  });

  function drawBody(details, curves) {
    const groups = groupCurves(curves);
    const chart = (group) => lineChart(group.title, group.series, group.chance ?? null);
    const main = groups.filter((group) => group.main).map(chart);
    const rest = groups.filter((group) => !group.main);
    body.replaceChildren(
      h("div", { className: "two" }, samples(details), health(details)),
      main.length ? h("div", { className: "charts" }, main) : empty("Nothing is logged yet", h("p", {}, "Curves appear with the first lines of the log.")),
      ...(rest.length ? [fold("More curves", () => h("div", { className: "charts" }, rest.map(chart)))] : []),
      fold("All settings", () => h("div", { className: "table" }, h("table", {}, h("tbody", {}, details.settings.map(([name, value]) =>
        h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), h("td", {}, h("code", {}, value)))))))));
  }

  function fold(title, content) {
    const inside = h("div");
    const details = h("details", { className: "panel", ontoggle: () => {
      if (details.open) { opened.add(title); if (!inside.hasChildNodes()) inside.append(content()); } else opened.delete(title);
    } }, h("summary", {}, title), inside);
    if (opened.has(title)) { inside.append(content()); details.open = true; }
    return details;
  }

  function samples(details) {
    const steps = details.sheets.slice().reverse();
    if (!steps.length) return h("section", { className: "panel" }, h("h2", {}, "Samples"), h("p", { className: "soft" }, "no sample sheet yet"));
    const image = h("img", { className: "pix sheet", alt: "samples" });
    const words = h("output", { className: "soft small" });
    const show = () => {
      const step = steps[slider.value];
      sheetStep = Number(slider.value) === steps.length - 1 ? null : step;
      image.src = `api/runs/${id}/sheets/${step}`;
      words.textContent = `step ${number(step)}`;
    };
    const at = sheetStep === null ? -1 : steps.indexOf(sheetStep);
    const slider = h("input", { type: "range", min: 0, max: steps.length - 1, ariaLabel: "step of the samples", oninput: show });
    slider.value = at < 0 ? steps.length - 1 : at;
    slider.disabled = steps.length === 1;
    show();
    return h("section", { className: "panel stack" }, h("div", { className: "row ends" }, h("h2", {}, "Samples"), words), image, slider);
  }

  function health(details) {
    return h("section", { className: "panel" },
      h("div", { className: "row ends" }, h("h2", {}, "Health"), badge(details.health)),
      details.evidence.map((sentence) => h("p", {}, sentence)),
      details.advice ? h("p", {}, h("strong", {}, "Next: "), details.advice) : null,
      h("h2", {}, "Events"),
      details.events.length
        ? h("ul", { className: "events" }, details.events.map((event) => h("li", {},
          h("span", { className: "soft small" }, `step ${number(event.step)} `), badge(event.verdict), " ",
          event.alarm ? h("strong", {}, event.alarm) : null,
          h("div", { className: "small soft" }, event.evidence.join("; ")))))
        : h("p", { className: "soft" }, "no events"));
  }

  drawHead();
  read();
  let waiting = null;
  view.update = (changed) => {
    drawHead();
    if (!changed.has(id) || waiting) return;
    waiting = setTimeout(() => { waiting = null; read(); }, Math.max(3000, Math.min(60000, 20 * took))); // a long log is read rarely
  };
  view.onLeave(() => clearTimeout(waiting));
}

function headOf(run) {
  return [
    h("div", { className: "row ends" }, h("h1", {}, run.name), badge(run.health)),
    h("p", { className: "soft small" }, `${run.method} · ${run.data} · ${run.path}`),
    progressBar(run),
    h("div", { className: "row ends" },
      h("span", {}, `step ${number(run.step)} of ${number(run.total_steps)} `,
        run.process ? h("span", { className: "now" }, run.process) : run.finished ? "finished" : "stopped"),
      h("span", { className: "soft" }, run.best ? `best ${run.best.metric} ${short(run.best.value)} at step ${number(run.best.step)}` : "not evaluated")),
    h("div", { className: "row" }, [["gallery", "Gallery"], ["latents", "Latents"], ["rotations", "Rotations"], ["features", "Features"]]
      .map(([view, words]) => h("a", { className: "button", href: `#/${view}/${run.id}` }, words))),
    run.continue ? h("p", { className: "small soft" }, run.finished ? "Train longer: " : "Continue: ", h("code", {}, run.finished ? `${run.continue} --total_steps ${2 * run.total_steps}` : run.continue)) : null,
  ].filter(Boolean);
}
