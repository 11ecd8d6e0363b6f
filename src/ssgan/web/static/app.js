// The frame of the page: views by the address, and the live list of runs.

import { h, get, failure } from "./page.js";
import { showRuns, showRun } from "./runs.js";
import { showGallery } from "./gallery.js";
import { showLatents } from "./latents.js";
import { showRotations } from "./rotations.js";
import { showMap } from "./map.js";
import { showComparison } from "./compare.js";

const VIEWS = {
  "": { title: "Runs", show: showRuns, onRun: false },
  run: { title: null, show: showRun },
  gallery: { title: "Gallery", show: showGallery, onRun: true },
  latents: { title: "Latents", show: showLatents, onRun: true },
  rotations: { title: "Rotations", show: showRotations, onRun: true },
  features: { title: "Features", show: showMap, onRun: true },
  compare: { title: "Compare", show: showComparison, onRun: false },
};

const app = { runs: new Map(), known: false, current: null, chosen: new Set(), folder: null };
const root = document.getElementById("view");
const nav = document.querySelector("nav");
const live = document.querySelector(".live");
let view = null;

class View {
  constructor() { this.root = root; this.left = false; this.leaving = []; this.update = null; }
  onLeave(work) { this.leaving.push(work); }
  leave() { this.left = true; this.leaving.forEach((work) => work()); }
}

function open() {
  const [, name = "", ...rest] = location.hash.split("/");
  const chosen = VIEWS[name] ?? VIEWS[""];
  view?.leave();
  view = new View();
  document.title = chosen.title ? `${chosen.title} - ssgan` : "ssgan";
  drawNav(name);
  try {
    chosen.show(view, app, rest.join("/"));
  } catch (error) {
    root.replaceChildren(failure(error, open));
    throw error;
  }
}

function drawNav(name) {
  nav.replaceChildren(...Object.entries(VIEWS).filter(([, one]) => one.title).map(([key, one]) => h("a", {
    href: `#/${key}${one.onRun && app.current ? `/${app.current}` : ""}`,
    "aria-current": key === name || (key === "" && name === "run") ? "page" : null,
  }, one.title)));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function listen() {
  const events = new EventSource("api/events");
  events.addEventListener("runs", (event) => {
    const news = JSON.parse(event.data);
    if (news.whole) app.runs.clear();
    news.gone.forEach((id) => app.runs.delete(id));
    news.changed.forEach((run) => app.runs.set(run.id, run));
    const first = !app.known;
    app.known = true;
    live.className = "live on";
    live.textContent = "live";
    if (first || (view.waitsForRuns && app.runs.size)) open();
    else view.update?.(new Set(news.changed.map((run) => run.id)));
  });
  events.addEventListener("error", () => {
    live.className = "live";
    live.textContent = "not connected";
    if (!app.known) root.replaceChildren(failure(new Error("ssgan web does not answer; is it still running?")));
  });
}

window.addEventListener("hashchange", () => { open(); root.focus({ preventScroll: true }); window.scrollTo(0, 0); });
get("api/folder").then((folder) => { app.folder = folder; view?.update?.(new Set()); }).catch(() => {});
open();
listen();
