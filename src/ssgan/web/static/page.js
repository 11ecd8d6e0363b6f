// What every view needs: elements, requests, the choice of a run and its state.
// Text from the server becomes text nodes only, so that no name can be markup.

export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export class Failure extends Error {}

async function answerOf(response) {
  if (response.ok) return response;
  let words = "";
  try {
    const text = await response.text();
    words = text.startsWith("{") ? JSON.parse(text).error : text.trim();
  } catch { /* no words */ }
  throw new Failure(words || `the server answered ${response.status}`);
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("ssgan web does not answer; is it still running?");
  }
  return answerOf(response);
}

const asJson = (content) => ({
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content),
});

export const get = async (address, signal) => (await ask(address, { signal })).json();
export const post = async (address, content, signal) =>
  (await ask(address, { ...asJson(content), signal })).json();
export const postForBlob = async (address, content, signal) =>
  (await ask(address, { ...asJson(content), signal })).blob();
export const send = async (address, bytes) =>
  (await ask(address, {
    method: "POST", headers: { "content-type": "application/octet-stream" }, body: bytes,
  })).json();

// Follow long work until it ends; `show` gets each report. Ends it when the view is left.
export async function follow(job, view, show) {
  const end = () => post(`api/jobs/${job.id}/end`, {}).catch(() => {});
  view.onLeave(() => { if (["waiting", "running"].includes(job.state)) end(); });
  while (["waiting", "running"].includes(job.state)) {
    show(job);
    await new Promise((wake) => setTimeout(wake, 300));
    if (view.left) { end(); return null; }
    job = await get(`api/jobs/${job.id}`);
  }
  if (job.state === "failed") throw new Failure(job.error);
  return job.state === "finished" ? job : null;
}

// One request at a time; of those that wait only the newest is sent.
export function newestOnly(work) {
  let busy = false;
  let next = null;
  return async function call(...given) {
    if (busy) { next = given; return; }
    busy = true;
    try { await work(...given); } finally {
      busy = false;
      if (next) { const waiting = next; next = null; call(...waiting); }
    }
  };
}

export const number = (value) => value.toLocaleString("en");
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 10000) return number(Math.round(value));
  if (size >= 100) return value.toFixed(1);
  return size >= 0.001 || size === 0 ? String(+value.toPrecision(size < 1 ? 3 : 4)) : value.toExponential(1);
}

export function age(seconds) {
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit} ago`;
  }
  return seconds < 5 ? "now" : `${Math.floor(seconds)} s ago`;
}

const KINDS = { healthy: "good", "no progress": "warn", forgetting: "warn", collapsing: "bad", diverged: "bad" };
export const badge = (health) => h("span", { className: `badge ${KINDS[health] ?? ""}` }, health ?? "unreadable");
export const needsAttention = (run) => Boolean(run.error) || ["warn", "bad"].includes(KINDS[run.health]);

export const loading = (words = "Loading") => h("p", { className: "loading", role: "status" }, words);
export const empty = (title, ...more) =>
  h("div", { className: "empty panel" }, h("strong", {}, title), ...more);
export function failure(error, again) {
  return h("div", { className: "error", role: "alert" }, h("div", {}, error.message),
    again ? h("button", { onclick: again }, "Try again") : null);
}

export const field = (name, input) => h("label", { className: "field" }, name, input);

// Picks are spots of a run and a state; they stay while the page is open.
export const picks = [];

const chosenStates = new Map(); // run id -> name of the state

// The head of a view on one run: which run, which state. `show` is called with {run, state, model}.
export async function chooseModel(view, app, name, runId, show) {
  const runs = [...app.runs.values()].filter((run) => !run.error);
  if (!runs.length) {
    view.waitsForRuns = true;
    view.root.replaceChildren(app.runs.size || app.known ? noRuns() : loading());
    return;
  }
  const run = app.runs.get(runId);
  if (!run) {
    location.replace(`#/${name}/${runs[0].id}`);
    return;
  }
  app.current = run.id;
  const runSelect = h("select", {
    ariaLabel: "Run", onchange: () => { location.hash = `#/${name}/${runSelect.value}`; },
  }, runs.map((one) => h("option", { value: one.id, selected: one.id === run.id }, one.name)));
  const stateSelect = h("select", { ariaLabel: "State" });
  const head = h("div", { className: "tools" }, field("Run", runSelect), field("State", stateSelect));
  const body = h("div", { className: "stack" }, loading("Reading the states"));
  view.root.replaceChildren(head, body);
  const open = async () => {
    const state = stateSelect.value;
    chosenStates.set(run.id, state);
    body.replaceChildren(loading("Loading the networks"));
    try {
      const model = await post("api/model", { run: run.id, state });
      if (!view.left && stateSelect.value === state) show({ run, state, model, head, body });
    } catch (error) {
      if (!view.left) body.replaceChildren(failure(error, open));
    }
  };
  stateSelect.addEventListener("change", open);
  try {
    const { states } = await get(`api/runs/${run.id}/states`);
    if (view.left) return;
    if (!states.length) {
      stateSelect.disabled = true;
      body.replaceChildren(empty("No checkpoint yet",
        h("p", {}, "The run saves its first checkpoint after some steps; images can be made from then on.")));
      return;
    }
    stateSelect.append(...states.map((one) => h("option", { value: one.name },
      one.step === null ? "best state" : `step ${number(one.step)}${one.name.startsWith("snapshot") ? " (snapshot)" : ""}`)));
    const before = chosenStates.get(run.id);
    if (states.some((one) => one.name === before)) stateSelect.value = before;
    await open();
  } catch (error) {
    body.replaceChildren(failure(error, () => chooseModel(view, app, name, runId, show)));
  }
}

export const noRuns = () => empty("No runs here yet",
  h("p", {}, "Train a first one, and it appears here by itself:"), h("code", {}, "ssgan demo"));

export const noDiscriminator = () => empty("This state has no discriminator",
  h("p", {}, "Choose a checkpoint or a snapshot of the run."));

export function classSelect(model, onchange) {
  if (!model.classes.length) return null;
  return h("select", { ariaLabel: "Class", onchange },
    h("option", { value: "" }, "all in turn"),
    model.classes.map((name, place) => h("option", { value: place }, name)));
}

export const labelOf = (select) => (select && select.value !== "" ? Number(select.value) : null);

export function sampleAddress({ run, state }, seed, truncation, label) {
  const query = new URLSearchParams();
  if (truncation) query.set("truncation", truncation);
  if (label !== null) query.set("label", label);
  return `api/image/${run.id}/${state}/${seed}${query.size ? `?${query}` : ""}`;
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
