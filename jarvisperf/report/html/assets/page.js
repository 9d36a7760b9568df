"use strict";
// Without this script the page can be read: rows open by themselves. It adds filters, sorting, hints, zooming and arrow keys.
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const rows = all("details.row");
  const $ = (id) => document.getElementById(id);
  const reveal = (element) => { if (element) element.hidden = false; };

  // Hints: the title of a picture appears at once, at the pointer or at the focus.
  const tip = $("tip");
  const hide = () => { tip.hidden = true; };
  const show = (text, x, y) => {
    if (!text) return hide();
    tip.textContent = text;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${y + 20 + height > innerHeight ? Math.max(4, y - height - 12) : y + 20}px`;
  };
  const hintOf = (target) => {
    const box = target.closest && target.closest("svg.flame > svg, .picture svg.plot");
    if (!box) return "";
    const title = box.querySelector(":scope > title");
    if (title) title.remove();  // otherwise the browser would show it, too
    return box.getAttribute("aria-label");
  };
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || event.target.closest(".chart[data-rows]")) return;
    show(hintOf(event.target), event.clientX, event.clientY);
  });
  document.addEventListener("focusin", (event) => {
    if (!event.target.matches(":focus-visible")) return hide();
    const inside = event.target.matches("summary.line, a.line") ? event.target.querySelector(".picture svg.plot") : event.target;
    const text = inside ? hintOf(inside) : "";
    const place = event.target.getBoundingClientRect();
    show(text, place.left + place.width / 3, place.bottom - 16);
  });
  document.addEventListener("focusout", hide);
  for (const kind of ["wheel", "touchmove"]) document.addEventListener(kind, hide, { passive: true });

  // Filters.
  const search = $("search"), metric = $("metric"), sort = $("sort"), shown = $("shown");
  const chips = all("button.chip");
  let verdict = "";
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (metric && metric.value) words.push(`metric:${metric.value.toLowerCase()}`);
    let count = 0;
    for (const row of rows) {
      const fits = (!verdict || row.dataset.verdict === verdict) && words.every((word) => row.dataset.text.includes(word));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    for (const section of all("section.benchmarks")) section.hidden = !section.querySelector("details.row:not([hidden])");
    shown.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows shown`;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.verdict === verdict));
  };
  const choose = (word) => { verdict = word; filter(); };
  for (const chip of chips) chip.addEventListener("click", () => choose(verdict === chip.dataset.verdict ? "" : chip.dataset.verdict));
  for (const field of [search, metric]) if (field) field.addEventListener("input", filter);

  // Sorting, within each section.
  const lists = all("section.benchmarks .rows").map((list) => ({ list, order: all("details.row", list) }));
  const number = (row, key) => (row.dataset[key] === "" ? -Infinity : Number(row.dataset[key]));
  const orders = {
    change: (a, b) => number(b, "change") - number(a, "change"),
    value: (a, b) => number(b, "value") - number(a, "value"),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true }),
  };
  sort.addEventListener("input", () => {
    for (const { list, order } of lists) list.append(...(orders[sort.value] ? order.slice().sort(orders[sort.value]) : order));
  });

  // A link to a row opens it, even if a filter hides it.
  const open = (id, focus = true) => {
    const row = $(id);
    if (!row || !row.matches("details.row")) return;
    if (row.hidden) {
      search.value = "";
      if (metric) metric.value = "";
      choose("");
    }
    row.open = true;
    row.scrollIntoView({ block: "start" });
    if (focus) row.querySelector("summary").focus({ preventScroll: true });
  };
  const visit = () => { if (location.hash.startsWith("#b-")) open(location.hash.slice(1)); };
  window.addEventListener("hashchange", visit);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#b-"]');
    if (link && link.getAttribute("href") === location.hash) visit();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hide();
    const row = event.target.closest("details.row[open]");
    if (!row || event.target.closest("svg.flame")) return;
    row.open = false;
    row.querySelector("summary").focus();
  });

  const own = (element) => Array.from(element.childNodes, (node) => (node.nodeName === "SMALL" ? "" : node.textContent)).join("");

  // The picture of all changes: the dot next to the pointer, or the arrow keys, name a benchmark; Enter opens it.
  for (const chart of all(".chart[data-rows]")) {
    const ids = chart.dataset.rows.split(" ");
    const picture = chart.querySelector("svg.plot");
    const [left, right] = picture.dataset.span.split(" ").map(Number);
    let place = 0;
    const named = (at) => {
      const row = $(ids[at]);
      const words = row.querySelector(".words"), more = words.querySelector("small");
      return `${own(row.querySelector(".name"))}: ${own(words)}${more ? `, ${more.textContent}` : ""}`;
    };
    const cursor = picture.querySelector(":scope > svg").appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    cursor.setAttribute("class", "s-ink");
    const point = (at, x, y) => {
      place = Math.max(0, Math.min(ids.length - 1, at));
      const box = picture.getBoundingClientRect();
      const share = left + (ids.length > 1 ? place / (ids.length - 1) : 0) * (right - left);
      cursor.setAttribute("d", `M${share * 1000} 0V${picture.getAttribute("height")}`);
      chart.setAttribute("aria-valuenow", String(place + 1));
      chart.setAttribute("aria-valuetext", named(place));
      show(named(place), x ?? box.left + share * box.width, y ?? box.top + box.height / 2);
    };
    const at = (event) => {
      const box = picture.getBoundingClientRect();
      return Math.round(((event.clientX - box.left) / box.width - left) / (right - left) * (ids.length - 1));
    };
    for (const title of all(":scope > title", picture)) title.remove();
    chart.classList.add("live");
    const said = { tabindex: "0", role: "slider", "aria-label": "All changes, sorted", "aria-valuemin": "1", "aria-valuenow": "1" };
    for (const [name, value] of Object.entries(said)) chart.setAttribute(name, value);
    chart.setAttribute("aria-valuemax", String(ids.length));
    chart.setAttribute("aria-valuetext", named(0));
    picture.addEventListener("pointermove", (event) => point(at(event), event.clientX, event.clientY));
    picture.addEventListener("pointerleave", hide);
    picture.addEventListener("click", (event) => { point(at(event)); hide(); open(ids[place]); });
    chart.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, PageDown: 10, PageUp: -10, Home: -ids.length, End: ids.length };
      if (event.key === "Enter") { hide(); open(ids[place]); }
      else if (event.key in steps) point(place + steps[event.key]);
      else return;
      event.preventDefault();
    });
    chart.addEventListener("focus", () => { if (chart.matches(":focus-visible")) point(place); });
  }

  // Flame graphs: choosing a box zooms both graphs to its stack; the search marks boxes.
  const prepare = (flames) => {
    flames.dataset.ready = "";
    const graphs = all("svg.flame", flames).map((svg) => ({
      svg,
      boxes: all(":scope > svg", svg).map((box) => ({
        box, x: parseFloat(box.getAttribute("x")), width: parseFloat(box.getAttribute("width")), y: Number(box.getAttribute("y")),
      })),
    }));
    const tools = document.createElement("div");
    tools.className = "flame-tools";
    const label = document.createElement("label");
    const field = document.createElement("input");
    const out = document.createElement("button");
    const count = document.createElement("p");
    Object.assign(field, { type: "search", autocomplete: "off" });
    Object.assign(out, { type: "button", textContent: "Whole graph", disabled: true });
    count.setAttribute("aria-live", "polite");
    label.append("Search functions", field);
    tools.append(label, out, count);
    flames.prepend(tools);
    const zoom = (stack) => {
      out.disabled = stack === null;
      for (const { boxes } of graphs) {
        const goal = boxes.find(({ box }) => stack !== null && box.dataset.stack === stack);
        const first = goal ? goal.x : 0, span = goal ? goal.width : 100;
        if (stack !== null && !goal) continue;  // the other arm has no such stack and stays as it is
        for (const { box, x, width, y } of boxes) {
          const above = goal && y < goal.y && x <= first + 1e-6 && x + width >= first + span - 1e-6;
          const inside = x >= first - 1e-6 && x + width <= first + span + 0.02;
          box.toggleAttribute("hidden", !above && !inside);
          box.setAttribute("x", above ? "0%" : `${(x - first) / span * 100}%`);
          box.setAttribute("width", above ? "100%" : `${width / span * 100}%`);
        }
      }
    };
    out.addEventListener("click", () => zoom(null));
    field.addEventListener("input", () => {
      const word = field.value.toLowerCase();
      let hits = 0;
      for (const { svg, boxes } of graphs) {
        svg.classList.toggle("searched", word !== "");
        for (const { box } of boxes) {
          const hit = word !== "" && box.getAttribute("aria-label").toLowerCase().includes(word);
          box.classList.toggle("hit", hit);
          if (hit) hits += 1;
        }
      }
      count.textContent = word ? `${hits} boxes found` : "";
    });
    for (const { svg, boxes } of graphs) {
      const focus = (box) => {
        for (const one of boxes) one.box.setAttribute("tabindex", one.box === box ? "0" : "-1");
        box.focus();
      };
      svg.addEventListener("click", (event) => {
        const box = event.target.closest("svg.flame > svg");
        if (box) zoom(box.dataset.stack);
      });
      svg.addEventListener("keydown", (event) => {
        const here = boxes.find(({ box }) => box === event.target);
        if (!here) return;
        const seen = boxes.filter(({ box }) => !box.hasAttribute("hidden"));
        const row = seen.filter(({ y }) => y === here.y);
        const near = (y) => seen.filter((one) => one.y === y && one.x < here.x + here.width && one.x + one.width > here.x)[0];
        const height = Number(here.box.getAttribute("height")) + 1;
        const goals = {
          ArrowRight: () => row[row.indexOf(here) + 1], ArrowLeft: () => row[row.indexOf(here) - 1],
          ArrowDown: () => near(here.y + height), ArrowUp: () => near(here.y - height),
        };
        if (event.key in goals) { const goal = goals[event.key](); if (goal) focus(goal.box); }
        else if (event.key === "Enter" || event.key === " ") zoom(here.box.dataset.stack);
        else if (event.key === "Escape" && !out.disabled) zoom(null);
        else if (event.key === "Escape") { svg.closest("details.row").open = false; svg.closest("details.row").querySelector("summary").focus(); }
        else return;
        event.preventDefault();
      });
    }
  };
  document.addEventListener("toggle", (event) => {
    const flames = event.target.open && event.target.querySelector(".flames:not([data-ready])");
    if (flames) prepare(flames);
  }, true);

  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  reveal($("theme"));
  if (rows.length > 15) reveal(document.querySelector(".tools"));
  filter();
  visit();
})();
