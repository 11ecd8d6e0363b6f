// The latent space: a seed, moved along G's principal directions; picks, ways between them, and the
// projection of a picture.

import { h, chooseModel, classSelect, failure, field, follow, labelOf, newestOnly, picks, post, postForBlob, save, send, short } from "./page.js";

const REACH = 6; // of a slider, in standard deviations of a latent
const MOST_UPLOAD = 8 * 2 ** 20;
const STRIP = 9;

export function showLatents(view, app, runId) {
  chooseModel(view, app, "latents", runId, (context) => {
    context.head.querySelectorAll(".own").forEach((one) => one.remove());
    const { run, state, model, body } = context;
    const addresses = [];
    view.onLeave(() => addresses.forEach((one) => URL.revokeObjectURL(one)));
    const mine = () => picks.filter((pick) => pick.run === run.id && pick.state === state);

    const fetchInto = async (image, spot) => {
      const blob = await postForBlob("api/image", { run: run.id, state, spot });
      const address = URL.createObjectURL(blob);
      addresses.push(address);
      image.src = address;
      if (addresses.length > 400) URL.revokeObjectURL(addresses.shift());
    };

    // the image and what makes it
    const big = h("img", { className: "pix big", alt: "image of these latents" });
    const seed = h("input", { type: "number", min: 0, max: 2 ** 52, value: 0, onchange: () => { projection = null; redraw(); } });
    const truncation = h("input", { type: "range", min: 0.1, max: 2, step: 0.05, value: 2, oninput: redraw });
    const strength = h("output");
    const label = classSelect(model, redraw);
    const words = h("p", { className: "soft small" });
    const trouble = h("div");
    const sliders = [];
    let projection = null; // {id, name} in place of the seed

    const spotNow = () => ({
      point: {
        ...(projection ? { projection: projection.id } : { seed: Math.max(0, Math.floor(Number(seed.value)) || 0) }),
        truncation: !projection && Number(truncation.value) < 2 ? Number(truncation.value) : null,
        offsets: sliders.map((one) => Number(one.value)),
      },
      label: projection?.label ?? labelOf(label),
    });
    const draw = newestOnly(async (spot) => {
      try {
        await fetchInto(big, spot);
        trouble.replaceChildren();
      } catch (error) {
        if (!view.left) trouble.replaceChildren(failure(error, redraw));
      }
    });
    function redraw() {
      strength.textContent = Number(truncation.value) < 2 ? truncation.value : "none";
      words.textContent = projection ? `projection of ${projection.name}` : `seed ${seed.value}`;
      draw(spotNow());
    }
    const step = (by) => { projection = null; seed.value = Math.max(0, (Number(seed.value) || 0) + by); redraw(); };

    // directions
    const along = h("div", { className: "sliders" });
    const directions = h("section", { className: "panel" }, h("div", { className: "row ends" }, h("h2", {}, "Principal directions"),
      h("button", { onclick: () => { sliders.forEach((one) => { one.value = 0; one.dispatchEvent(new Event("input")); }); } }, "Reset")),
      h("p", { className: "soft small" }, "G's images change most along these directions of its latents, the strongest first."), along);
    async function openDirections() {
      const bar = h("progress", { max: 1 });
      along.replaceChildren(h("span", { className: "soft" }, "measuring"), bar, h("span"));
      try {
        const job = await follow(await post("api/directions", { run: run.id, state }), view, (now) => { if (now.total) bar.value = now.done / now.total; });
        if (!job || view.left) return;
        along.replaceChildren();
        for (let place = 0; place < job.result.directions; place += 1) {
          const value = h("output", {}, "0");
          const slider = h("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: 0, ariaLabel: `direction ${place + 1}`,
            oninput: () => { value.textContent = short(Number(slider.value)); redraw(); } });
          sliders.push(slider);
          along.append(h("span", {}, place + 1), slider, value);
        }
      } catch (error) {
        if (!view.left) along.replaceChildren(h("span"), failure(error, openDirections), h("span"));
      }
    }

    // picks and the way between two of them
    const tray = h("div", { className: "tray" });
    const strip = h("div", { className: "strip" });
    const between = h("img", { className: "pix big", alt: "image between the two picks" });
    const share = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.5, ariaLabel: "share of the way", oninput: () => drawBetween() });
    const way = h("div", { className: "stage" }, between, h("div", { className: "stack" }, share, strip,
      h("p", { className: "soft small" }, "From the first framed pick to the second. Click a pick to frame it.")));
    let ends = [];
    const spotBetween = (at) => ({ ...ends[0].spot, towards: ends[1].spot.point, share: at });
    const drawBetween = newestOnly(async () => {
      if (ends.length < 2) return;
      try { await fetchInto(between, spotBetween(Number(share.value))); } catch (error) { if (!view.left) trouble.replaceChildren(failure(error)); }
    });
    const drawStrip = newestOnly(async () => {
      if (ends.length < 2) return;
      const [from, to] = ends;
      const images = Array.from({ length: STRIP }, () => h("img", { className: "pix", alt: "" }));
      strip.replaceChildren(...images);
      for (const [place, image] of images.entries()) {
        if (view.left || ends[0] !== from || ends[1] !== to) return;
        await fetchInto(image, spotBetween(place / (STRIP - 1))).catch(() => {});
      }
    });
    function drawTray() {
      const all = mine();
      ends = ends.filter((pick) => all.includes(pick));
      if (ends.length < 2) ends = all.slice(-2);
      tray.replaceChildren(...all.map((pick) => {
        const image = h("img", { className: "pix", alt: pick.name });
        fetchInto(image, pick.spot).catch(() => { image.alt = `${pick.name} failed`; });
        const figure = h("figure", {},
          h("button", { ariaLabel: `frame ${pick.name}`, onclick: () => { ends = [...ends.filter((one) => one !== pick), pick].slice(-2); drawTray(); } }, image),
          h("button", { className: "drop", ariaLabel: `remove ${pick.name}`, onclick: () => { picks.splice(picks.indexOf(pick), 1); drawTray(); } }, "×"),
          h("figcaption", { className: "cut" }, pick.name));
        if (ends.includes(pick) && all.length > 1) figure.dataset.end = "";
        return figure;
      }));
      if (!all.length) tray.append(h("p", { className: "soft" }, "Pick images here or in the gallery; two picks have a way between them."));
      way.hidden = all.length < 2;
      download.hidden = !all.length;
      download.textContent = `Download ${all.length}`;
      if (!way.hidden) { drawBetween(); drawStrip(); }
    }
    const download = h("button", { onclick: async () => {
      try { save(await postForBlob("api/download", { run: run.id, state, spots: mine().map((one) => one.spot) }), `${run.name}-picks.zip`); } catch (error) { trouble.replaceChildren(failure(error)); }
    } });
    const pickNow = () => { picks.push({ run: run.id, state, spot: spotNow(), name: projection ? "projection" : `seed ${seed.value}${sliders.some((one) => Number(one.value)) ? " moved" : ""}` }); drawTray(); };

    body.replaceChildren(trouble,
      h("div", { className: "stage" },
        h("section", { className: "panel stack" }, big, words,
          h("div", { className: "row" }, h("button", { ariaLabel: "seed before", onclick: () => step(-1) }, "‹"),
            field("Seed", seed), h("button", { ariaLabel: "next seed", onclick: () => step(1) }, "›"),
            label ? field("Class", label) : null),
          h("div", { className: "sliders" }, h("span", {}, "Truncation"), truncation, strength),
          h("button", { className: "main", onclick: pickNow }, "Pick this image")),
        h("div", { className: "stack" }, directions, projectionPanel())),
      h("section", { className: "panel stack" }, h("div", { className: "row ends" }, h("h2", {}, "Picks"), download), tray, way));
    drawTray();
    redraw();
    openDirections();

    function projectionPanel() {
      const panel = h("section", { className: "panel" }, h("h2", {}, "Project a picture"));
      if (!model.has_discriminator || !model.has_blocks) {
        panel.append(h("p", { className: "soft" }, "This state has no discriminator whose features could be compared; choose a checkpoint."));
        return panel;
      }
      const result = h("div");
      const file = h("input", { type: "file", accept: "image/*", ariaLabel: "picture", onchange: () => { if (file.files[0]) start(file.files[0]); } });
      const steps = h("input", { type: "number", min: 1, max: 1000, value: 200 });
      const zone = h("div", { className: "drop-zone stack" }, h("p", { className: "soft small" },
        "Finds the latents whose image is nearest to your picture, as ssgan project does. The picture stays on this machine."),
      h("div", { className: "row" }, field("Steps", steps), file), result);
      zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
      zone.addEventListener("dragleave", () => zone.classList.remove("over"));
      zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); if (event.dataTransfer.files[0]) start(event.dataTransfer.files[0]); });
      panel.append(zone);
      async function start(picture) {
        if (picture.size > MOST_UPLOAD) { result.replaceChildren(failure(new Error("The picture is larger than 8 MiB; make it smaller."))); return; }
        const bar = h("progress", { max: 1 });
        result.replaceChildren(h("p", { className: "soft small" }, "projecting"), bar);
        try {
          const query = new URLSearchParams({ run: run.id, state, steps: Math.min(1000, Math.max(1, Math.floor(Number(steps.value)) || 200)) });
          if (labelOf(label) !== null) query.set("label", labelOf(label));
          const job = await follow(await send(`api/pictures?${query}`, picture), view, (now) => { if (now.total) bar.value = now.done / now.total; });
          if (!job || view.left) return;
          const { distance, nearest_sample: before, picture: asked, image, label: found } = job.result;
          result.replaceChildren(
            h("div", { className: "row" }, [["picture", asked], ["G's image", image]].map(([name, source]) =>
              h("figure", {}, h("img", { className: "pix", src: source, alt: name, width: 96, height: 96 }), h("figcaption", {}, name)))),
            h("p", { className: "soft small" }, `distance ${short(distance)}; the nearest sample had ${short(before)}${found === null ? "" : `; class ${model.classes[found]}`}`),
            h("button", { onclick: () => { projection = { id: job.id, name: picture.name, label: found }; sliders.forEach((one) => { one.value = 0; }); redraw(); } }, "Move from here"));
        } catch (error) {
          if (!view.left) result.replaceChildren(failure(error));
        }
      }
      return panel;
    }
  });
}
