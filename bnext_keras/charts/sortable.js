// Sorts a table by the column whose heading is clicked, numbers as numbers; a second click turns the order around.
// Cells without a number stay at the end. A link below the table saves it as CSV, in the order that it then has.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const heading of table.tHead.rows[0].cells) {
    heading.tabIndex = 0;
    heading.setAttribute("role", "button");
    const sort = () => {
      const numeric = heading.classList.contains("n");
      const before = heading.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : numeric;
      const sign = descending ? -1 : 1;
      const key = (row) => {
        const cell = row.cells[heading.cellIndex];
        return cell.dataset.sort ?? cell.textContent.trim();
      };
      const compare = (a, b) => {
        if (!numeric) return sign * key(a).localeCompare(key(b), undefined, { numeric: true });
        const [first, second] = [parseFloat(key(a)), parseFloat(key(b))];
        if (isNaN(first) || isNaN(second)) return isNaN(first) - isNaN(second);
        return sign * (first - second);
      };
      body.append(...[...body.rows].sort(compare));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort();
    });
  }
  const link = document.createElement("a");
  link.textContent = "CSV";
  link.download = `${table.id || "table"}.csv`;
  link.href = "#";
  link.addEventListener("click", () => {
    link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(csv(table))}`;
  });
  (table.closest(".scroll") ?? table).after(link);
}

function csv(table) {
  const field = (cell) => {
    const parts = [...cell.childNodes].map((node) => node.textContent.replace(/\s+/g, " ").trim());
    let text = cell.dataset.sort ?? parts.filter(Boolean).join(" ");
    // A spreadsheet would take it for a formula, and names are strangers' texts.
    if (/^[=+\-@]/.test(text) && isNaN(text)) text = `'${text}`;
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [...table.rows].map((row) => [...row.cells].map(field).join(",") + "\r\n").join("");
}
