// The rotation task: images in four rotations, and which rotation D predicts for each.

import { h, chooseModel, failure, field, loading, noDiscriminator, post } from "./page.js";

const DEGREES = ["0°", "90°", "180°", "270°"];

export function showRotations(view, app, runId) {
  chooseModel(view, app, "rotations", runId, ({ run, state, model, head, body }) => {
    head.querySelectorAll(".own").forEach((one) => one.remove());
    if (!model.has_discriminator) { body.replaceChildren(noDiscriminator()); return; }
    const kind = h("select", { onchange: draw }, h("option", { value: "both" }, "fakes and reals"),
      h("option", { value: "fakes" }, "fakes"), h("option", { value: "reals" }, "reals"));
    const seed = h("input", { type: "number", min: 0, max: 2 ** 52, value: 0, onchange: draw });
    const other = h("button", { onclick: () => { seed.value = Number(seed.value) + 6; draw(); } }, "Other images");
    for (const one of [field("Images", kind), field("Seed", seed), other]) { one.classList.add("own"); head.append(one); }
    const explain = h("p", { className: "soft" }, model.predicts_rotation
      ? `${model.method} trains D to predict by how much an image was rotated. Each image stands here at 0°, 90°, 180° and 270°, `
        + "counter-clockwise. The bars are D's probabilities of the four rotations; the frame is green where the largest is right."
      : `${model.method} does not train D to predict rotations, so only D's logit of “real” is shown.`);
    const parts = h("div", { className: "stack" });
    body.replaceChildren(explain, parts);
    let newest = 0;

    async function draw() {
      const turn = newest += 1;
      const wanted = kind.value === "both" ? [false, true] : [kind.value === "reals"];
      const sections = wanted.map((real) => h("section", { className: "stack" }, h("h2", {}, real ? "Real images" : "Fakes"), loading()));
      parts.replaceChildren(...sections);
      for (const [place, real] of wanted.entries()) {
        const section = sections[place];
        try {
          const found = await post("api/rotations", { run: run.id, state, real, seed: Math.max(0, Math.floor(Number(seed.value)) || 0), count: 6 });
          if (view.left || turn !== newest) return;
          const right = found.right === null ? "" : `: ${Math.round(100 * found.right)} % of the rotations are recognised (chance: 25 %)`;
          section.replaceChildren(h("h2", {}, `${real ? "Real images" : "Fakes"}${right}`), h("div", { className: "cards" }, found.images.map(card)));
        } catch (error) {
          if (view.left || turn !== newest) return;
          section.replaceChildren(h("h2", {}, real ? "Real images" : "Fakes"), failure(error, draw));
        }
      }
    }
    draw();
  });
}

function card(image) {
  return h("figure", { className: "panel" }, h("div", { className: "four" }, image.rotations.map((one, place) => {
    const best = one.shares ? one.shares.indexOf(Math.max(...one.shares)) : null;
    const verdict = best === null ? "" : best === place ? "right" : "wrong";
    return h("div", {},
      h("img", { className: `pix ${verdict}`, src: one.picture, alt: `${image.name} rotated by ${one.degrees} degrees${verdict ? `, predicted ${DEGREES[best]}` : ""}` }),
      one.shares ? h("div", { className: "shares" }, one.shares.map((value, row) => [h("span", {}, DEGREES[row]), bar(value, row === place)])) : null,
      h("div", { className: "small soft", title: "D's logit of “real”" }, `logit ${one.logit === null ? "-" : one.logit.toFixed(2)}`));
  })), h("figcaption", {}, image.name));
}

function bar(share, isTrue) {
  const fill = h("i");
  fill.style.width = `${100 * (share ?? 0)}%`;
  return h("div", { className: isTrue ? "is" : "", title: `${Math.round(100 * (share ?? 0))} %` }, fill);
}
