// Images by seed: each depends on its seed alone. Chosen ones can be downloaded or picked.

import { h, chooseModel, classSelect, failure, field, labelOf, number, picks, postForBlob, sampleAddress, save } from "./page.js";

const PART = 48;
const MOST_CHOSEN = 400;

export function showGallery(view, app, runId) {
  chooseModel(view, app, "gallery", runId, ({ run, state, model, head, body }) => {
    head.querySelectorAll(".own").forEach((one) => one.remove());
    const first = h("input", { type: "number", min: 0, max: 2 ** 52, value: 0, onchange: restart });
    const truncation = h("select", { onchange: restart },
      h("option", { value: "" }, "none"), ["1.5", "1", "0.7", "0.5", "0.3"].map((value) => h("option", {}, value)));
    const label = classSelect(model, restart);
    const fields = [field("First seed", first), field("Truncation", truncation), label ? field("Class", label) : null];
    fields.filter(Boolean).forEach((one) => { one.classList.add("own"); head.append(one); });
    const wall = h("div", { className: "wall" });
    const chosen = new Map(); // key -> spot
    const download = h("button", { className: "main", onclick: fetchChosen });
    const pick = h("button", { onclick: pickChosen });
    const none = h("button", { onclick: () => { chosen.clear(); mark(); } }, "Choose none");
    const hint = h("span", { className: "small soft" });
    const trouble = h("div");
    const more = h("button", { onclick: addPart }, `Show ${PART} more`);
    let next = 0;
    body.replaceChildren(
      h("div", { className: "row ends" }, h("div", { className: "row" }, download, pick, none), hint),
      trouble, wall, h("div", { className: "row" }, more,
        h("span", { className: "soft small" }, `step ${number(model.step)}, ${model.size} x ${model.size} pixels`)));

    function restart() {
      next = Math.max(0, Math.floor(Number(first.value)) || 0);
      first.value = next;
      chosen.clear();
      wall.replaceChildren();
      addPart();
      mark();
    }
    function addPart() {
      const strength = truncation.value ? Number(truncation.value) : null;
      for (let seed = next; seed < next + PART; seed += 1) {
        const image = h("img", { className: "pix", alt: "", loading: "lazy", width: model.size, height: model.size,
          src: sampleAddress({ run, state }, seed, strength, labelOf(label)) });
        const tile = h("button", { className: "tile", ariaLabel: `seed ${seed}`, ariaPressed: "false", onclick: () => {
          if (chosen.has(seed)) chosen.delete(seed);
          else if (chosen.size < MOST_CHOSEN) chosen.set(seed, { point: { seed, truncation: strength }, label: labelOf(label) });
          mark();
        } }, image, h("span", {}, seed));
        image.addEventListener("error", () => { tile.classList.add("failed"); image.hidden = true; });
        tile.dataset.seed = seed;
        wall.append(tile);
      }
      next += PART;
    }
    function mark() {
      for (const tile of wall.children) tile.ariaPressed = String(chosen.has(Number(tile.dataset.seed)));
      const count = chosen.size;
      [download, pick, none].forEach((one) => { one.disabled = !count; });
      download.textContent = count ? `Download ${count}` : "Download";
      pick.textContent = count ? `Pick ${count} for Latents` : "Pick for Latents";
      const words = truncation.value ? ` --truncation ${truncation.value}` : "";
      const command = `ssgan sample ${run.path} --seeds ${[...chosen.keys()].join(",")}${words}`;
      hint.replaceChildren(count ? (count < 9 ? h("code", {}, command) : "") : "Click images to choose them");
    }
    async function fetchChosen() {
      trouble.replaceChildren();
      try {
        save(await postForBlob("api/download", { run: run.id, state, spots: [...chosen.values()] }), `${run.name}-images.zip`);
      } catch (error) {
        trouble.replaceChildren(failure(error, fetchChosen));
      }
    }
    function pickChosen() {
      for (const spot of chosen.values()) picks.push({ run: run.id, state, spot, name: `seed ${spot.point.seed}` });
      location.hash = `#/latents/${run.id}`;
    }
    restart();
  });
}
