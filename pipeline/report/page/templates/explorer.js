"use strict";

// The heat map of two axes and the error curves of one of its cells. What is shown is computed before: this only chooses.
(async () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("explorer-data");
  const models = read("explorer-models");
  const area = document.getElementById("explorer");
  const form = area.querySelector("form");
  const element = (id) => document.getElementById(id);
  const [details, held, kept] = ["cell", "held", "kept"].map(element);
  const only = Array.from(form.querySelectorAll("select[name=only]"));
  const MEASURES = { rate: "share converged", median: "median epochs", ert: "epochs per success" };
  const WRITTEN = 14; // cells along a side: more have no room for text
  const free = data.axes.map((_, axis) => axis).filter((axis) => axis !== data.nested);

  element("without").hidden = true;
  area.hidden = false;
  element("plot-curves").hidden = false;
  Bokeh.logger.set_level("error");
  await Bokeh.embed.embed_item(models.map, "plot-map");
  await Bokeh.embed.embed_item(models.curves, "plot-curves");
  const named = (name) => Bokeh.documents.map((one) => one.get_model_by_name(name)).find((model) => model);
  const [map, curves, source, lines, goals, tails] = ["map", "curves", "cells source", "curves source", "goals source", "tails source"].map(named);
  const bars = Object.keys(MEASURES).map((measure) => [measure, named(`bar ${measure}`)]);
  let shown = [];
  let picked = null;

  const chosen = () => ({
    across: form.across ? Number(form.across.value) : 0,
    down: form.down ? Number(form.down.value) : -1,
    measure: form.measure.value,
    only: only.map((select) => Number(select.value)),
  });
  const named_value = (axis, code) => `${data.axes[axis].name}=${data.axes[axis].values[code]}`;

  // Which table has the cells: the axes that are shown, those of which one value is wanted, and the threshold.
  function cells(view) {
    const wanted = data.axes.map((_, axis) => axis).filter(
      (axis) => axis === view.across || axis === view.down || axis === data.nested || view.only[axis] >= 0,
    );
    const key = [...wanted.filter((axis) => axis !== data.nested), ...wanted.filter((axis) => axis === data.nested)];
    const table = data.groupings[key.join(",")];
    if (!table) return null;
    return table.runs
      .map((_, row) => ({ row, codes: Object.fromEntries(key.map((axis, place) => [axis, table.codes[place][row]])), table }))
      .filter((cell) => key.every((axis) => view.only[axis] < 0 || view.only[axis] === cell.codes[axis]));
  }

  const position = (codes, axis) => {
    const present = Array.from(new Set(codes)).sort((a, b) => a - b);
    return { present, place: new Map(present.map((code, place) => [code, place])), axis };
  };

  function label(axis, side, values) {
    axis.axis_label = side < 0 ? null : data.axes[side].name;
    const step = Math.ceil(values.length / 24);
    const ticks = values.map((_, place) => place).filter((place) => place % step === 0);
    axis.ticker.ticks = ticks;
    axis.major_label_overrides = new Map(ticks.map((place) => [place, side < 0 ? "" : data.axes[side].values[values[place]]]));
  }

  function draw() {
    const view = chosen();
    const found = cells(view);
    shown = found || [];
    held.textContent = found ? said(view) : "These cells are too many for this file: choose fewer axes, or see the tables.";
    const x = position(shown.map((cell) => cell.codes[view.across]), view.across);
    const y = position(shown.map((cell) => (view.down < 0 ? 0 : cell.codes[view.down])), view.down);
    const [wide, high] = [Math.max(1, x.present.length), Math.max(1, y.present.length)];
    const texts = shown.map(({ row, table }) => `${table.runs[row]}\n${table.short[view.measure][row]}`);
    const longest = Math.max(0, ...texts.flatMap((text) => text.split("\n")).map((line) => line.length));
    const room = (element("plot-map").clientWidth - 170) / wide;
    const write = wide <= WRITTEN && high <= WRITTEN && room > 7 * longest;
    const numbers = shown.map(({ row, table }) => table.colour[view.measure][row]);
    const colour = (list, missed) => numbers.map((number) => (number < 0 ? missed : list[number]));
    const inks = data.ink[view.measure];
    shown.forEach((cell) => {
      cell.name = [view.across, view.down].filter((axis) => axis >= 0).map((axis) => named_value(axis, cell.codes[axis])).join(", ");
    });
    source.data = {
      x: shown.map((cell) => x.place.get(cell.codes[view.across])),
      y: shown.map((cell) => (view.down < 0 ? 0 : y.place.get(cell.codes[view.down]))),
      fill: colour(data.colours[view.measure], data.missed),
      ink: colour(inks, inks[inks.length - 1]),
      text: write ? texts : texts.map(() => ""),
      tip: shown.map((cell) => [cell.name, ...words(cell)].join("\n")),
    };
    map.x_range.setv({ start: -0.5, end: wide - 0.5 });
    map.y_range.setv({ start: -0.5, end: high - 0.5 });
    label(map.below[0], view.across, x.present);
    label(map.left[0], view.down, y.present);
    map.below[0].major_label_orientation = x.present.some((code) => data.axes[view.across].values[code].length * 8 > room) ? 0.7 : "horizontal";
    map.height = Math.round(Math.min(560, Math.max(170, 90 + 46 * high)));
    for (const [measure, bar] of bars) {
      const [low, top] = data.scales[measure];
      bar.color_mapper.setv({ low: Math.max(low, measure === "rate" ? 0 : 1e-9), high: top });
      bar.visible = measure === view.measure && high > 2;
    }
    form.cell.replaceChildren(...shown.map((cell, place) => new Option(cell.name, place)));
    const again = shown.findIndex((cell) => picked && cell.name === picked.name);
    pick(again < 0 ? best(view) : again);
  }

  // What the map shows beside its two axes: one value of an axis, or all of them pooled.
  function said(view) {
    const others = data.axes.map((_, axis) => axis).filter((axis) => axis !== view.across && axis !== view.down);
    const parts = others.map((axis) => (view.only[axis] < 0 ? `all of ${data.axes[axis].name}` : named_value(axis, view.only[axis])));
    return parts.length ? `Runs with ${parts.join(", ")}.` : "";
  }

  const words = ({ table, row }) => [
    table.ended[row],
    ...(table.why[row] ? [`why not: ${table.why[row]}`] : []),
    ...Object.entries(MEASURES).map(([measure, name]) => `${name}: ${table.words[measure][row]}`),
  ];

  // The cell that is picked first: of the fewest epochs per success.
  const best = () => {
    const cost = shown.map(({ table, row }) => (table.colour.ert[row] < 0 ? Infinity : table.colour.ert[row]));
    return cost.indexOf(Math.min(...cost));
  };

  function pick(place) {
    const view = chosen();
    picked = shown[place] || null;
    source.selected.indices = picked ? [place] : [];
    if (picked) form.cell.value = String(place);
    const title = document.createElement("h3");
    title.textContent = picked ? picked.name : "";
    const list = document.createElement("ul");
    for (const text of picked ? words(picked) : []) list.append(Object.assign(document.createElement("li"), { textContent: text }));
    details.replaceChildren(title, list);
    const own = picked
      ? data.curves.filter((run) => free.every((axis, place) => {
          const code = axis in picked.codes ? picked.codes[axis] : view.only[axis];
          return code < 0 || code === run.codes[place];
        }))
      : [];
    const pooled = free.filter((axis) => picked && !(axis in picked.codes));
    const colours = theme();
    lines.data = {
      xs: own.map((run) => run.x),
      ys: own.map((run) => run.y),
      colour: own.map((run) => (run.converged ? colours.good : colours.bad)),
      tip: own.map((run) => [run.label, ...pooled.map((axis) => named_value(axis, run.codes[free.indexOf(axis)])), run.end].filter((text) => text).join("\n")),
    };
    const going = own.filter((run) => run.tail);
    tails.data = { xs: going.map((run) => run.tail.x), ys: going.map((run) => run.tail.y), colour: going.map(() => colours.bad) };
    const goal = picked && data.nested >= 0 ? picked.codes[data.nested] : -1;
    goals.data = { y: own.length ? data.goals.filter((_, code) => goal < 0 || code === goal) : [] };
    element("plot-curves").hidden = !own.length;
    const last = data.nested < 0 ? "" : ` They went on to ${named_value(data.nested, 0)}.`;
    const dashed = data.goals.length ? " Dashed: the threshold." : "";
    const foreseen = going.length ? " Dashed curves: as the errors that still fall are foreseen to go on." : "";
    kept.textContent = own.length
      ? `Curves of ${own.length} of these starts, from epoch 1.${last} Blue: converged; orange: did not.${dashed}${foreseen}`
      : "No curves of these runs are kept in this file.";
  }

  function theme() {
    const style = getComputedStyle(document.body);
    const value = (name) => style.getPropertyValue(name).trim();
    return { ink: value("--ink"), quiet: value("--quiet"), line: value("--line"), good: value("--good"), bad: value("--bad"), goal: value("--goal") };
  }

  function paint() {
    const { ink, quiet, line, goal } = theme();
    curves.renderers[1].glyph.line_color = goal;
    for (const plot of [map, curves]) {
      for (const axis of [...plot.below, ...plot.left]) axis.setv({ major_label_text_color: quiet, axis_label_text_color: ink });
      for (const grid of plot.center.filter((one) => "grid_line_color" in one.properties)) grid.grid_line_color = line;
    }
    for (const [, bar] of bars) bar.major_label_text_color = quiet;
  }

  source.selected.properties.indices.change.connect(() => {
    const [place] = source.selected.indices;
    if (place !== undefined && shown[place] !== picked) pick(place);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    const { target } = event;
    if (target === form.cell) return pick(Number(target.value));
    if (target === form.across && form.across.value === form.down.value) form.down.value = String(other(Number(target.value)));
    if (target === form.down && form.across.value === form.down.value) form.across.value = String(other(Number(target.value)));
    if (target === form.across || target === form.down) unpool();
    return draw();
  });
  const other = (axis) => (axis === 0 ? 1 : 0);

  // Runs that differ in their threshold alone are one training, so thresholds are never pooled: one is chosen, or they are an axis.
  function unpool() {
    if (data.nested < 0) return;
    const select = only[data.nested];
    const axis = form.across && [form.across.value, form.down.value].includes(String(data.nested));
    select.options[0].disabled = !axis;
    if (axis) select.value = "-1";
    else if (select.value === "-1") select.value = "0";
  }

  if (form.across) {
    form.across.value = "0";
    form.down.value = "1";
  }
  form.measure.value = "rate";
  unpool();
  paint();
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    paint();
    if (picked) pick(shown.indexOf(picked));
  });
  window.addEventListener("resize", draw);
  area.dataset.ready = "yes";
})();
