"use strict";
(() => {
  const table = document.querySelector("table.main");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const search = document.getElementById("search");
  const verdict = document.getElementById("verdict");
  const metric = document.getElementById("metric");
  const shown = document.getElementById("shown");
  const cache = new Map();

  const detailOf = (row) => (row.nextElementSibling && row.nextElementSibling.classList.contains("detail") ? row.nextElementSibling : null);

  const setOpen = (row, open) => {
    const button = row.querySelector("td.name button");
    const there = detailOf(row);
    if (!open) {
      if (there) there.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    if (there) return;
    const detail = cache.get(row) || make(row);
    cache.set(row, detail);
    row.after(detail);
    button.setAttribute("aria-expanded", "true");
  };

  const make = (row) => {
    const detail = document.createElement("tr");
    detail.className = "detail";
    const cell = detail.insertCell();
    cell.colSpan = row.cells.length;
    const template = document.getElementById("detail-" + row.dataset.benchmark);
    const elsewhere = table.dataset.elsewhere ? `; ${table.dataset.elsewhere} has all` : "";
    const missing = `This page contains the details of the first 1,000 benchmarks only${elsewhere}.`;
    cell.append(template ? template.content.cloneNode(true) : missing);
    return detail;
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = words.every((word) => row.dataset.text.includes(word))
        && (!verdict.value || row.dataset.verdict === verdict.value)
        && (!metric.value || row.dataset.metric === metric.value);
      if (!fits) setOpen(row, false);
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = `${count} of ${rows.length} rows shown`;
  };

  const sort = (header) => {
    const place = header.cellIndex;
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const text = row.cells[place].dataset.value;
      return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
    };
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;  // missing values go last in either direction
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    };
    rows.sort(compare);
    arrange(rows);
  };

  const arrange = (order) => {
    const details = new Map(order.map((row) => [row, detailOf(row)]));
    const fragment = document.createDocumentFragment();
    for (const row of order) {
      fragment.append(row);
      if (details.get(row)) fragment.append(details.get(row));
    }
    body.append(fragment);
  };

  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const header = button.closest("th");
    if (header) return sort(header);
    const row = button.closest("tr");
    if (row && row.dataset.benchmark !== undefined) setOpen(row, button.getAttribute("aria-expanded") !== "true");
  });
  document.addEventListener("keydown", (event) => {
    const detail = event.key === "Escape" ? event.target.closest("tr.detail") : null;
    if (detail) {
      const row = detail.previousElementSibling;
      setOpen(row, false);
      row.querySelector("td.name button").focus();
    }
  });
  for (const field of [search, verdict, metric]) field.addEventListener("input", filter);
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const ordered = rows.slice();
  document.getElementById("sort").addEventListener("input", (event) => {
    const place = event.target.value;
    if (place !== "") return sort(table.tHead.rows[0].cells[Number(place)]);
    for (const header of table.tHead.rows[0].cells) header.removeAttribute("aria-sort");
    arrange(ordered);
  });
  const visit = () => {
    const wanted = location.hash.match(/^#b-(\d+)$/);
    const row = wanted && rows.find((one) => one.dataset.benchmark === wanted[1]);
    if (!row) return;
    if (row.hidden) {
      for (const field of [search, verdict, metric]) field.value = "";
      filter();
    }
    setOpen(row, true);
    row.scrollIntoView();
    row.querySelector("td.name button").focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", visit);
  filter();
  visit();
})();
