// Line charts as SVG, drawn for the width that there is, with the values under the pointer.

import { h, number, short } from "./page.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 190, LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 22;
export const COLOURS = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"];

function s(tag, given, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function ticks(low, high, most) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) found.push(tick);
  return found;
}

const compact = (value) => (Math.abs(value) >= 10000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(4)));

// series: [{name, points: [[step, value]], colour}]; chance: a value to mark, or null
export function lineChart(title, series, chance = null) {
  const drawn = series.filter((one) => one.points.length);
  const legend = h("div", { className: "legend" });
  const holder = h("div", { className: "chart" });
  const figure = h("section", { className: "panel" }, h("h2", {}, title), legend, holder);
  const steps = drawn.flatMap((one) => one.points.map(([step]) => step));
  const values = drawn.flatMap((one) => one.points.map(([, value]) => value)).concat(chance === null ? [] : [chance]);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  let [first, last] = [Math.min(...steps), Math.max(...steps)];
  if (first === last) { first -= 1; last += 1; }
  const label = (one, point) => h("span", {}, colourMark(one.colour), `${one.name} `, h("b", {}, short(point[1])));
  const showAt = (step) => legend.replaceChildren(
    ...drawn.map((one) => label(one, step === null ? one.points.at(-1) : nearest(one.points, step))),
    step === null ? "" : h("span", {}, `step ${number(Math.round(step))}`));
  const draw = () => {
    const width = Math.max(220, holder.clientWidth);
    const x = (step) => LEFT + ((step - first) / (last - first)) * (width - LEFT - RIGHT);
    const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": describe(title, drawn) });
    for (const tick of ticks(low, high, 5)) {
      svg.append(s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        s("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, compact(tick)));
    }
    for (const tick of ticks(first, last, Math.max(2, width / 64))) {
      svg.append(s("text", { x: x(tick), y: HEIGHT - 5, "text-anchor": "middle" }, compact(tick)));
    }
    if (chance !== null) svg.append(s("line", { class: "chance", x1: LEFT, x2: width - RIGHT, y1: y(chance), y2: y(chance) }));
    for (const one of drawn) {
      const line = one.points.map(([step, value], place) => `${place ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      svg.append(s("path", { d: line, stroke: `var(${one.colour})` }));
      if (one.points.length < 12) {
        for (const [step, value] of one.points) svg.append(s("circle", { cx: x(step), cy: y(value), r: 2.5, fill: `var(${one.colour})` }));
      }
    }
    const cursor = s("line", { class: "grid", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    svg.append(cursor);
    svg.addEventListener("pointermove", (event) => {
      const at = event.clientX - svg.getBoundingClientRect().left;
      const step = first + ((at - LEFT) / (width - LEFT - RIGHT)) * (last - first);
      const inside = Math.min(last, Math.max(first, step));
      cursor.setAttribute("x1", x(inside));
      cursor.setAttribute("x2", x(inside));
      cursor.setAttribute("visibility", "visible");
      showAt(inside);
    });
    svg.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); showAt(null); });
    holder.replaceChildren(svg);
  };
  showAt(null);
  let width = 0;
  new ResizeObserver(() => { if (holder.clientWidth !== width) { width = holder.clientWidth; draw(); } }).observe(holder);
  return figure;
}

export function colourMark(colour) {
  const mark = h("i");
  mark.style.background = `var(${colour})`;
  return mark;
}

function nearest(points, step) {
  return points.reduce((best, one) => (Math.abs(one[0] - step) < Math.abs(best[0] - step) ? one : best));
}

function describe(title, drawn) {
  return `${title}: ${drawn.map((one) => `${one.name} ${short(one.points.at(-1)[1])} at step ${one.points.at(-1)[0]}`).join(", ")}`;
}

// The curves of one run in panels: those that the server names, then the others by their term.
export function groupCurves({ curves, panels }) {
  const titled = panels.map(({ title, chance, curves: labels }) => ({
    title: spell(title), chance, main: true,
    series: Object.entries(labels).map(([name, label], place) => ({ name: label, points: curves[name], colour: COLOURS[place] })),
  }));
  const used = new Set(panels.flatMap((panel) => Object.keys(panel.curves)));
  const others = new Map();
  for (const [name, points] of Object.entries(curves)) {
    if (used.has(name)) continue;
    const [first, ...rest] = name.split("/");
    const logged = first === "D" || first === "G";
    const term = logged ? rest.join("/") : first;
    if (!others.has(term)) others.set(term, []);
    const series = others.get(term);
    series.push({ name: logged ? first : rest[0] ?? "value", points, colour: COLOURS[series.length % COLOURS.length] });
  }
  return titled.concat([...others].map(([term, series]) => ({ title: spell(term), chance: null, main: false, series })));
}

const spell = (name) => { const words = name.replaceAll("_", " "); return words.charAt(0).toUpperCase() + words.slice(1); };
