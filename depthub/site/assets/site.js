// Tables are complete without this file; it adds sorting by column and a filter of rows.
"use strict";

function keyOf(row, column, kind) {
  const cell = row.cells[column];
  if (kind === "text") return cell.textContent.trim().toLowerCase();
  const text = cell.dataset.value ?? cell.textContent;
  const number = parseFloat(text);
  return Number.isNaN(number) ? -Infinity : number;
}

function sortBy(table, heading, column) {
  const descending = heading.getAttribute("aria-sort") !== "descending";
  const kind = heading.dataset.sort;
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  const keyed = rows.map((row, place) => ({ row, place, key: keyOf(row, column, kind) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * (descending ? -1 : 1) || a.place - b.place);
  table.tBodies[0].append(...keyed.map((entry) => entry.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading, column));
  });
}

for (const form of document.querySelectorAll("form.filter")) {
  const input = form.querySelector("input");
  const table = document.getElementById(input.dataset.filter);
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      shown += row.hidden ? 0 : 1;
    }
    form.querySelector("output").textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length} rows` : "";
  });
}
