"use strict";
// The threshold tool: every rate on it is counted anew from the scores, by the rules of padkit.evaluation.metrics.
(() => {
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("threshold-data").textContent);
  const BINS = 50;
  const REACH = 10; // log-odds at both ends of the stretched axis

  const unpack = (text) => new Float64Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const sets = data.sets.map((set) => ({
    name: set.name,
    bonaFide: unpack(set.bona_fide),
    species: set.species.map((one) => ({ name: one.name, scores: unpack(one.scores) })),
  }));
  const axes = {
    score: {
      label: "score: P(bona fide)",
      ticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
      to: (score) => score,
      from: (place) => place,
    },
    odds: {
      label: "score: P(bona fide), ends stretched (log-odds)",
      ticks: [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999],
      to: (score) => Math.min(Math.max((Math.log(score / (1 - score)) / REACH + 1) / 2, 0), 1),
      from: (place) => (place <= 0 ? 0 : place >= 1 ? 1 : 1 / (1 + Math.exp(-REACH * (2 * place - 1)))),
    },
  };
  const state = { set: sets[0], axis: axes.score, threshold: data.policies[0].threshold };

  /** How many of rising `scores` lie below `threshold`; the rest are accepted. */
  function below(scores, threshold) {
    let low = 0;
    let high = scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scores[middle] < threshold) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function rates(set, threshold) {
    const species = set.species.map(({ name, scores }) => {
      const accepted = scores.length - below(scores, threshold);
      return { name, accepted, count: scores.length, apcer: accepted / scores.length };
    });
    const attacks = species.reduce((sum, one) => sum + one.count, 0);
    const accepted = species.reduce((sum, one) => sum + one.accepted, 0);
    const rejected = below(set.bonaFide, threshold);
    const worst = species.reduce((one, other) => (other.apcer > one.apcer ? other : one));
    const pooled = accepted / attacks;
    const bpcer = rejected / set.bonaFide.length;
    return {
      species, attacks, accepted, rejected, worst, pooled, bpcer,
      bonaFides: set.bonaFide.length, hter: (pooled + bpcer) / 2, acer: (worst.apcer + bpcer) / 2,
    };
  }

  /** Percent with two decimals; a draw goes to the even digit, as everywhere else on the page. */
  function percent(share) {
    const value = 100 * share;
    const hundredths = 100 * value;
    if (Number.isInteger(8 * value) && hundredths - Math.floor(hundredths) === 0.5) {
      return ((2 * Math.round(hundredths / 2)) / 100).toFixed(2);
    }
    return value.toFixed(2);
  }

  function row(name, key, value, detail) {
    const line = document.createElement("tr");
    const head = document.createElement("th");
    const number = document.createElement("td");
    const words = document.createElement("td");
    head.scope = "row";
    head.textContent = name;
    number.className = "number";
    number.dataset.rate = key;
    number.textContent = percent(value);
    words.className = "quiet";
    words.textContent = detail;
    line.append(head, number, words);
    return line;
  }

  function showRates() {
    const found = rates(state.set, state.threshold);
    const share = (part, whole) => `${part} of ${whole}`;
    const passed = `${share(found.accepted, found.attacks)} attacks pass`;
    const refused = `${share(found.rejected, found.bonaFides)} bona fide presentations are rejected`;
    element("tool-sentence").textContent = `${state.set.name}: ${passed}, ${refused}.`;
    const worst = `${found.worst.name}: ${share(found.worst.accepted, found.worst.count)} accepted`;
    element("tool-rates").replaceChildren(
      row("HTER", "hter", found.hter, "mean of pooled APCER and BPCER"),
      row("APCER, worst species", "apcer", found.worst.apcer, worst),
      row("BPCER", "bpcer", found.bpcer, `${share(found.rejected, found.bonaFides)} rejected`),
      row("APCER, pooled", "apcer_pooled", found.pooled, `${share(found.accepted, found.attacks)} accepted`),
      ...found.species.map((one) =>
        row(`APCER ${one.name}`, `apcer:${one.name}`, one.apcer, `${share(one.accepted, one.count)} accepted`)),
    );
  }

  const SVG = "http://www.w3.org/2000/svg";
  function shape(parent, kind, attributes, text) {
    const made = document.createElementNS(SVG, kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  /** Counts in equal steps of the axis: all, and those that the threshold judges wrongly. */
  function histogram(scores, wrong) {
    const all = new Array(BINS).fill(0);
    const errors = new Array(BINS).fill(0);
    for (const score of scores) {
      const bin = Math.min(Math.floor(state.axis.to(score) * BINS), BINS - 1);
      all[bin] += 1;
      if (wrong(score)) errors[bin] += 1;
    }
    return { all, errors };
  }

  let plot = null; // where the axis lies, for the pointer
  function draw() {
    const figure = element("tool-figure");
    const width = Math.max(figure.clientWidth, 280);
    const attacks = state.set.species.flatMap((one) => Array.from(one.scores));
    const lanes = [
      { name: "bona fide", kind: "bona-fide", up: true, ...histogram(state.set.bonaFide, (s) => s < state.threshold) },
      { name: "attacks", kind: "attack", up: false, ...histogram(attacks, (s) => s >= state.threshold) },
    ];
    const highest = Math.max(...lanes.flatMap((lane) => lane.all));
    const rows = policyRows(width);
    const left = 34;
    const right = width - 10;
    const top = 8 + 16 * rows.count;
    const lane = 110;
    const middle = top + lane;
    const bottom = middle + lane;
    const x = (score) => left + state.axis.to(score) * (right - left);
    const height = (count) => (lane * Math.log1p(count)) / Math.log1p(highest);
    plot = { left, right, width };

    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 36}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Histogram of the scores: bona fide above, attacks below; wrong decisions strong.");
    const cut = x(state.threshold);
    shape(svg, "rect", { class: "accepted", x: cut, y: top, width: Math.max(right - cut, 0), height: bottom - top });
    for (let count = 1; count <= highest; count *= 10) {
      for (const y of [middle - height(count), middle + height(count)]) {
        shape(svg, "line", { class: "grid", x1: left, x2: right, y1: y, y2: y });
        shape(svg, "text", { class: "tick", x: left - 4, y: y + 4, "text-anchor": "end" }, count);
      }
    }
    for (const { kind, up, all, errors } of lanes) {
      const step = (right - left) / BINS;
      for (let bin = 0; bin < BINS; bin += 1) {
        for (const [counts, name] of [[all, kind], [errors, `${kind} wrong`]]) {
          const size = height(counts[bin]);
          const place = { x: left + bin * step + 0.5, y: up ? middle - size : middle, width: step - 1, height: size };
          if (size) shape(svg, "rect", { class: name, ...place });
        }
      }
    }
    shape(svg, "line", { class: "base", x1: left, x2: right, y1: middle, y2: middle });
    shape(svg, "line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom });
    for (const tick of state.axis.ticks) {
      shape(svg, "line", { class: "base", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 });
      shape(svg, "text", { class: "tick", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, tick);
    }
    const centre = (left + right) / 2;
    shape(svg, "text", { class: "tick", x: centre, y: bottom + 31, "text-anchor": "middle" }, state.axis.label);
    for (const { policy, line, anchor } of rows.placed) {
      const at = x(policy.threshold);
      const y = 12 + 16 * line;
      shape(svg, "line", { class: "policy", x1: at, x2: at, y1: y + 4, y2: bottom });
      shape(svg, "text", { class: "tick", x: at, y, "text-anchor": anchor }, policyName(policy));
    }
    shape(svg, "line", { class: "threshold", x1: cut, x2: cut, y1: top, y2: bottom });
    shape(svg, "text", { class: "lane bona-fide", x: left + 4, y: top + 14 }, "bona fide");
    shape(svg, "text", { class: "lane attack", x: right - 4, y: bottom - 8, "text-anchor": "end" }, "attacks");
    if (cut - left > 70) shape(svg, "text", { class: "side", x: cut - 5, y: bottom - 8, "text-anchor": "end" }, "rejected");
    if (right - cut > 130) shape(svg, "text", { class: "side", x: cut + 5, y: bottom - 8 }, "accepted");
    figure.replaceChildren(svg);
  }

  const policyName = (policy) => policy.name + (policy.test_set_choice ? " (test set)" : "");

  /** Put the policies' names in as few rows as they fit into without touching. */
  function policyRows(width) {
    const ends = [];
    const placed = data.policies.map((policy) => {
      const at = 34 + state.axis.to(policy.threshold) * (width - 44);
      const half = 3.4 * policyName(policy).length;
      const anchor = at < half ? "start" : at > width - half ? "end" : "middle";
      const from = anchor === "start" ? at : anchor === "end" ? at - 2 * half : at - half;
      let line = ends.findIndex((taken) => taken.every(([a, b]) => from > b + 8 || from + 2 * half < a - 8));
      if (line < 0) line = ends.push([]) - 1;
      ends[line].push([from, from + 2 * half]);
      return { policy, line, anchor };
    });
    return { placed, count: ends.length };
  }

  const slider = element("tool-slider");
  const field = element("tool-number");
  function show() {
    slider.value = Math.round(1000 * state.axis.to(state.threshold));
    slider.setAttribute("aria-valuetext", String(state.threshold));
    showRates();
    draw();
  }
  function moveTo(threshold, typed) {
    state.threshold = threshold;
    if (!typed) field.value = String(threshold);
    field.removeAttribute("aria-invalid");
    show();
  }
  const moveToPlace = (place) => moveTo(Number(state.axis.from(place).toPrecision(6)), false);

  slider.addEventListener("input", () => moveToPlace(slider.value / 1000));
  field.addEventListener("input", () => {
    const typed = Number(field.value);
    if (field.value.trim() === "" || !(typed >= 0 && typed <= 1)) field.setAttribute("aria-invalid", "true");
    else moveTo(typed, true);
  });
  for (const policy of data.policies) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${policyName(policy)}: ${Number(policy.threshold.toPrecision(4))}`;
    button.addEventListener("click", () => moveTo(policy.threshold, false));
    element("tool-policies").append(button);
  }
  const stretch = element("tool-stretch");
  stretch.addEventListener("change", () => {
    state.axis = stretch.checked ? axes.odds : axes.score;
    show();
  });
  const chooser = element("tool-set");
  sets.forEach((set, number) => chooser.append(new Option(set.name, number)));
  chooser.closest("label").hidden = sets.length < 2;
  chooser.addEventListener("change", () => {
    state.set = sets[chooser.value];
    show();
  });
  const figure = element("tool-figure");
  const follow = (event) => {
    if (event.buttons !== 1 || !plot) return;
    const box = figure.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * plot.width;
    moveToPlace(Math.min(Math.max((at - plot.left) / (plot.right - plot.left), 0), 1));
  };
  figure.addEventListener("pointerdown", follow);
  figure.addEventListener("pointermove", follow);
  window.addEventListener("resize", draw);
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
  element("tool").hidden = false;
  moveTo(state.threshold, false);
})();
