// D's features as a map: each point is an image, shown under the pointer.

import { h, chooseModel, failure, field, follow, noDiscriminator, post, short } from "./page.js";

export function showMap(view, app, runId) {
  chooseModel(view, app, "features", runId, ({ run, state, model, head, body }) => {
    head.querySelectorAll(".own").forEach((one) => one.remove());
    if (!model.has_discriminator) { body.replaceChildren(noDiscriminator()); return; }
    const count = h("select", { onchange: draw }, ["100", "200", "400"].map((one) => h("option", { selected: one === "200" }, one)));
    const way = h("select", { onchange: draw }, h("option", { value: "pca" }, "PCA"),
      h("option", { value: "umap", disabled: !app.folder?.has_umap }, app.folder?.has_umap ? "UMAP" : "UMAP (not installed)"));
    const look = h("select", { onchange: () => redraw() }, h("option", { value: "points" }, "points"), h("option", { value: "pictures" }, "pictures"));
    for (const one of [field("Images of each kind", count), field("Projection", way), field("Show", look)]) { one.classList.add("own"); head.append(one); }
    let redraw = () => {};
    let newest = 0;

    async function draw() {
      const turn = newest += 1;
      const bar = h("progress", { max: 1 });
      body.replaceChildren(h("div", { className: "panel stack" }, h("p", { className: "soft" }, "Reading D's features of the images"), bar));
      try {
        const wanted = { run: run.id, state, fakes: Number(count.value), reals: Number(count.value), way: way.value };
        const job = await follow(await post("api/maps", wanted), view, (now) => { if (now.total) bar.value = now.done / now.total; });
        if (!job || view.left || turn !== newest) return;
        redraw = drawMap(body, job.result, look);
      } catch (error) {
        if (!view.left && turn === newest) body.replaceChildren(failure(error, draw));
      }
    }
    draw();
  });
}

function drawMap(body, map, look) {
  const canvas = h("canvas", { tabIndex: 0, ariaLabel: "map of D's features; arrow keys go from image to image", role: "img" });
  const thumb = h("div");
  const words = h("div");
  const peek = h("div", { className: "peek", hidden: true }, thumb, words);
  const plane = h("div", { className: "plane" }, canvas, peek);
  const sheet = new Image();
  const fakes = map.real.filter((real) => !real).length;
  const [fakeMark, realMark] = ["--c1", "--c0"].map((colour) => { const mark = h("span", { className: "key" }); mark.style.background = `var(${colour})`; return mark; });
  const axes = map.explained.length ? `The axes hold ${map.explained.map((one) => `${Math.round(100 * one)} %`).join(" and ")} of the variance.` : "";
  body.replaceChildren(
    map.note ? h("p", { className: "error" }, map.note) : "",
    h("div", { className: "row" }, h("span", {}, fakeMark, `${fakes} fakes`), h("span", {}, realMark, `${map.real.length - fakes} real images`), h("span", { className: "soft small" }, axes)),
    plane,
    h("p", { className: "soft small" }, "D's features are the input of its heads. Where fakes and real images lie apart, D can separate them. Point at an image to see it with D's logit of “real”."));
  let places = [];
  let current = -1;

  function draw() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.imageSmoothingEnabled = false;
    const pictures = look.value === "pictures" && sheet.complete;
    const edge = pictures ? 24 : 14;
    places = map.points.map(([x, y]) => [width / 2 + x * (width / 2 - edge), height / 2 - y * (height / 2 - edge)]);
    const style = getComputedStyle(document.documentElement);
    const colours = [style.getPropertyValue("--c1"), style.getPropertyValue("--c0")];
    for (const [place, [x, y]] of places.entries()) {
      const colour = colours[Number(map.real[place])];
      if (pictures) {
        const size = width < 600 ? 22 : 34;
        context.drawImage(sheet, ...corner(place), map.side, map.side, x - size / 2, y - size / 2, size, size);
        context.strokeStyle = colour;
        context.lineWidth = 1.5;
        context.strokeRect(x - size / 2, y - size / 2, size, size);
      } else {
        context.globalAlpha = 0.72;
        context.fillStyle = colour;
        context.beginPath();
        context.arc(x, y, place === current ? 7 : 4, 0, 7);
        context.fill();
        context.globalAlpha = 1;
      }
    }
  }
  const corner = (place) => [(place % map.columns) * map.side, Math.floor(place / map.columns) * map.side];

  function show(place) {
    current = place;
    peek.hidden = place < 0;
    draw();
    if (place < 0) return;
    const zoom = 96 / map.side;
    const [x, y] = corner(place);
    Object.assign(thumb.style, { width: "96px", height: "96px", backgroundImage: `url(${map.sheet})`,
      backgroundSize: `${map.columns * 96}px auto`, backgroundPosition: `${-x * zoom}px ${-y * zoom}px` });
    words.textContent = `${map.real[place] ? "real" : "fake"}: ${map.names[place]}, logit ${short(map.logits[place])}`;
    const [left, top] = places[place];
    peek.style.left = `${Math.min(Math.max(0, canvas.clientWidth - 190), left + 12)}px`;
    peek.style.top = `${Math.max(0, Math.min(top + 12, canvas.clientHeight - 140))}px`;
  }
  canvas.addEventListener("pointermove", (event) => {
    const frame = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = -1, least = 18 ** 2;
    places.forEach(([a, b], place) => {
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least) { best = place; least = distance; }
    });
    if (best !== current) show(best);
  });
  canvas.addEventListener("pointerleave", () => show(-1));
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    show((current + by + map.points.length) % map.points.length);
  });
  sheet.onload = draw;
  sheet.src = map.sheet;
  new ResizeObserver(draw).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return draw;
}
