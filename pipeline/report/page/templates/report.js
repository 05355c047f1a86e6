"use strict";

// A click on a column's name, or Enter or Space on it, sorts the table by it; once more the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const names = Array.from(table.tHead.rows[0].cells);
  names.forEach((name, column) => {
    name.querySelector("button").addEventListener("click", () => {
      const direction = name.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const key = (row) => Number(row.cells[column].dataset.value);
      const compare = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return a < b ? -1 : a > b ? 1 : 0;
      };
      const sorted = rows.slice().sort((one, other) => direction * compare(one, other));
      for (const other of names) other.removeAttribute("aria-sort");
      name.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      body.append(...sorted);
    });
  });
}

// Inside a frame that was given its text, as MLflow's is, a link to a part of the page would load the page around it.
for (const link of document.querySelectorAll('nav a[href^="#"]')) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const heading = document.getElementById(link.getAttribute("href").slice(1));
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  });
}
