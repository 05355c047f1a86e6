"use strict";

// Sends what is asked for to the server, and writes out what it tells. What is trained, and what is refused, it decides.
(async () => {
  const element = (id) => document.getElementById(id);
  const [fields, pixel] = [element("fields"), element("pixel")];
  const items = JSON.parse(element("items").textContent);
  const named = (name) => Bokeh.documents[0].get_model_by_name(name);

  // Whether or not there is a plot yet, the map has this room: an odd number of pixels, so that one is in the centre.
  function fit() {
    const plot = element("plot-map");
    [plot.style.width, plot.style.height] = ["", ""];
    const odd = (pixels) => Math.max(2 * Math.ceil(pixels / 2) - 1, 1);
    const [outer, inner] = [plot, element("room")].map((one) => one.getBoundingClientRect());
    const room = { width: odd(inner.width), height: odd(inner.height) };
    for (const side of ["width", "height"]) plot.style[side] = `${outer[side] - inner[side] + room[side]}px`;
    return room;
  }

  // The first picture is within the page, and what it shows is trained while Bokeh is loaded.
  const room = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries({ window: document.body.dataset.window, ...fit() })) room.set(key, value);
  fetch(`room?${room}`, { method: "POST" });
  if (element("first")) {
    await element("first").decode();
    write(JSON.parse(element("state").textContent));
    await new Promise((done) => {
      requestAnimationFrame(() => setTimeout(done));
      setTimeout(done, 100); // a page that is not seen has no frames
    });
  }
  await new Promise((done, failed) => {
    document.body.append(Object.assign(document.createElement("script"), { src: document.body.dataset.bokeh, onload: done, onerror: failed }));
  });
  Bokeh.set_log_level("error");

  // The roots have their places by their order: the map, the curves, and two sources that are not seen.
  const places = ["plot-map", "plot-curves", "none", "none"];
  items[0].roots = Object.fromEntries(items[0].root_ids.map((root, place) => [root, places[place]]));
  await Bokeh.embed.embed_items({}, items);
  const [asked, told, map, curves] = ["asked", "told", "map", "curves"].map(named);
  let serial = 0;
  const ask = (request) => {
    asked.data = { json: [JSON.stringify({ ...request, serial: (serial += 1) })] };
  };

  function write(state) {
    const error = element("error");
    error.textContent = state.error || "";
    error.hidden = !state.error;
    if (!state.error || !write.before) fill(state.fields);
    element("back").disabled = !state.back;
    element("status").textContent = state.status || "…";
    document.body.dataset.explained = state.explained || "";
    document.body.dataset.view = state.view || "";
    document.body.dataset.step = state.step || "";
    if (state.legend) legend(state.legend);
    for (const [name, value] of Object.entries(state.look)) element("look").elements[name].value = value;
    element("record").disabled = Boolean(state.recording);
    element("recorded").textContent = state.recorded || "";
    element("record-command").textContent = state.record_command || "";
    element("record-command").hidden = !state.record_command;
    if (state.pixel) run(state.pixel);
    element("run").setAttribute("aria-busy", state.training ? "true" : "false");
    write.before = state;
  }

  function fill(values) {
    if (JSON.stringify(values) === fill.last) return; // what is being typed stays
    fill.last = JSON.stringify(values);
    for (const [name, value] of Object.entries(values)) fields.elements[name].value = value;
  }

  function legend(entries) {
    element("legend").replaceChildren(...entries.map(({ colours, text, along, unit }) => {
      const entry = document.createElement("li");
      const swatch = document.createElement("i");
      if (colours.length > 1) swatch.className = "wide";
      swatch.style.background = colours.length > 1 ? `linear-gradient(to right, ${colours.join(", ")})` : colours[0];
      entry.append(swatch, text, along.length ? `; ${along.join(" … ")} ${unit}` : "");
      return entry;
    }));
  }

  function run(one) {
    if (JSON.stringify(one) === run.last) return;
    run.last = JSON.stringify(one);
    [pixel.elements.x.value, pixel.elements.y.value] = [one.x, one.y];
    for (const [id, text] of [["ended", one.status], ["words", one.words], ["command", one.command], ["digest", one.digest]]) {
      element(id).textContent = text;
    }
    element("weights").replaceChildren(...one.weights.map((row) => {
      const line = document.createElement("tr");
      line.append(...row.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
      return line;
    }));
    element("left-out").textContent = one.left_out ? `… and ${one.left_out} more` : "";
    element("copied").textContent = "";
    element("none").hidden = true;
    element("run").hidden = false;
  }

  // Figures are drawn on a canvas, which does not know the colours of the page.
  function paint() {
    const style = getComputedStyle(document.documentElement);
    const [ink, quiet, line] = ["--ink", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
    for (const plot of [map, curves]) {
      plot.setv({ background_fill_color: null, border_fill_color: null, outline_line_color: line });
      for (const grid of plot.center) grid.grid_line_color = line;
      for (const axis of [...plot.below, ...plot.left]) {
        axis.setv({
          major_label_text_color: quiet, axis_label_text_color: ink, axis_line_color: line,
          major_tick_line_color: line, minor_tick_line_color: line,
        });
      }
    }
  }

  // As many pixels as the map has room for.
  function measure() {
    ask({ do: "size", ...fit() });
  }

  async function copy() {
    const command = element("command");
    try {
      await navigator.clipboard.writeText(command.textContent);
      element("copied").textContent = "copied";
    } catch {
      getSelection().selectAllChildren(command);
      element("copied").textContent = document.execCommand("copy") ? "copied" : "selected: copy it by Ctrl-C";
    }
  }

  fields.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({ do: "fields", fields: Object.fromEntries(new FormData(fields)), shown: JSON.parse(fill.last) });
  });
  pixel.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({ do: "pixel", ...Object.fromEntries(new FormData(pixel)) });
  });
  document.querySelector(".bar").addEventListener("click", ({ target }) => {
    if (target.dataset.move) {
      const [across, down] = target.dataset.move.split(",");
      ask({ do: "move", across, down });
    }
    if (target.dataset.zoom) ask({ do: "zoom", factor: target.dataset.zoom });
  });
  element("back").addEventListener("click", () => ask({ do: "back" }));
  element("look").addEventListener("change", () => ask({ do: "look", ...Object.fromEntries(new FormData(element("look"))) }));
  element("record").addEventListener("click", () => ask({ do: "record" }));
  element("copy").addEventListener("click", copy);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  told.properties.data.change.connect(() => write(JSON.parse(told.data.json[0])));
  paint();
  write(JSON.parse(told.data.json[0]));
  element("room").replaceChildren();
  measure();
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(measure, 150);
  });
  document.body.dataset.ready = "true";
})();
