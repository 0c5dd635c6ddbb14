// Tables: sorting, filtering, copying, and arrow keys among the cells that have more to tell.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const NEXT_ORDER = {
  descending: { none: "descending", descending: "ascending", ascending: "none" },
  ascending: { none: "ascending", ascending: "descending", descending: "none" },
};

/** A cell's text, without its marks and its bar. */
function textOf(cell) {
  const text = (cell.querySelector("button.noted") ?? cell).firstChild;
  return text?.nodeType === Node.TEXT_NODE ? text.data.trim() : "";
}

function heads(table) {
  return [...table.tHead.querySelectorAll("th[data-column]")].sort((a, b) => a.dataset.column - b.dataset.column);
}

function kindOf(head) {
  return head.classList.contains("number") ? "number" : "text";
}

/** What a cell is sorted by; null where it is empty. */
function sortKey(cell, kind) {
  const value = cell.dataset.value;
  if (kind === "number") return value === undefined ? null : Number(value);
  return (value ?? textOf(cell)) || null;
}

/** Rows in the order of a column, those with an empty cell last in either direction. */
function inOrder(rows, column, kind, order) {
  if (order === "none") return rows;
  const sign = order === "ascending" ? 1 : -1;
  const compare = kind === "number" ? (a, b) => a - b : collator.compare;
  const keyed = rows.map((row) => ({ row, key: sortKey(row.cells[column], kind) }));
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
    return sign * compare(a.key, b.key);
  });
  return keyed.map(({ row }) => row);
}

/** Sorts by the clicked column: its natural order, then the other one, then as the report gave the rows. */
function setUpSorting(table, rows) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("button.sort")?.closest("th");
    if (!head) return;
    const kind = kindOf(head);
    const first = head.dataset.first ?? (kind === "number" ? "descending" : "ascending");
    const order = NEXT_ORDER[first][head.ariaSort ?? "none"];
    for (const other of heads(table)) other.removeAttribute("aria-sort");
    if (order !== "none") head.setAttribute("aria-sort", order);
    table.tBodies[0].append(...inOrder(rows, Number(head.dataset.column), kind, order));
    const name = head.querySelector("button.sort").firstChild.textContent;
    announce(order === "none" ? "In the report's order" : `Sorted by ${name}, ${order}`);
  });
}

/** Hides the rows whose names lack one of the words. */
function setUpFilter(grid, table, rows) {
  const input = grid.querySelector("input[type=search]");
  if (!input) return;
  const named = Number(table.dataset.rowNames);
  const names = rows.map((row) => [...row.cells].slice(0, named).map(textOf).join(" ").toLowerCase());
  const count = grid.querySelector(".count");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, i) => (row.hidden = !words.every((word) => names[i].includes(word))));
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
    makeReachable(table);
  });
}

// ---- one tab stop a table; arrow keys move from there ----

function reachable(row) {
  return [...row.querySelectorAll("button.noted")];
}

function makeReachable(table) {
  const stop = table.tBodies[0].querySelector("button.noted[tabindex='0']");
  if (stop && !stop.closest("tr").hidden) return;
  stop?.setAttribute("tabindex", "-1");
  table.tBodies[0].querySelector("tr:not([hidden]) button.noted")?.setAttribute("tabindex", "0");
}

/** The next cell that has more to tell, in the direction of a key. */
function neighbour(button, key) {
  const cell = button.closest("td, th");
  const row = cell.parentElement;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const own = reachable(row);
    return own[own.indexOf(button) + (key === "ArrowRight" ? 1 : -1)];
  }
  const step = key === "ArrowDown" ? "nextElementSibling" : "previousElementSibling";
  for (let other = row[step]; other; other = other[step]) {
    const found = other.hidden ? null : other.cells[cell.cellIndex].querySelector("button.noted");
    if (found) return found;
  }
  return undefined;
}

function setUpKeys(table) {
  makeReachable(table);
  const body = table.tBodies[0];
  const enter = (button) => {
    body.querySelector("button.noted[tabindex='0']")?.setAttribute("tabindex", "-1");
    button.setAttribute("tabindex", "0");
  };
  body.addEventListener("focusin", (event) => event.target.matches("button.noted") && enter(event.target));
  body.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow") || !event.target.matches("button.noted")) return;
    event.preventDefault();
    const next = neighbour(event.target, event.key);
    next?.focus();
    next?.scrollIntoView({ block: "nearest", inline: "nearest" }); // what lies under a sticky head counts as in view
  });
}

// ---- copying what is shown ----

function headNames(table) {
  const groups = [...(table.tHead.rows[1]?.cells ?? [])].length ? groupNames(table) : [];
  return heads(table).map((head) => {
    const name = head.querySelector("button.sort").firstChild.textContent;
    return groups[head.dataset.column] ? `${groups[head.dataset.column]} ${name}` : name;
  });
}

/** For each column the heading above it, if there is one. */
function groupNames(table) {
  const names = [];
  for (const head of table.tHead.rows[0].cells) {
    const group = head.classList.contains("group") ? head.textContent : "";
    for (let i = 0; i < head.colSpan; i++) names.push(group);
  }
  return names;
}

/** A text with its marks, as it is read. */
function asRead(cell) {
  return [textOf(cell), ...[...cell.querySelectorAll("sup")].map((mark) => mark.textContent)].join(" ").trim();
}

function markdown(table, rows) {
  const line = (cells) => `| ${cells.map((text) => text.replaceAll("|", "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
  const rule = heads(table).map((head) => (kindOf(head) === "number" ? "---:" : ":---"));
  return [headNames(table), rule, ...rows.map((row) => [...row.cells].map(asRead))].map(line).join("\n") + "\n";
}

/** Numbers unrounded, texts without marks. */
function csv(table, rows) {
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = rows.map((row) => [...row.cells].map((cell) => cell.dataset.value ?? textOf(cell)));
  return [headNames(table), ...lines].map((cells) => cells.map(quote).join(",")).join("\n") + "\n";
}

function setUpCopying(grid, table) {
  const write = { markdown, csv };
  for (const button of grid.querySelectorAll("[data-copy]")) {
    const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
    button.addEventListener("click", () => copyFrom(button, write[button.dataset.copy](table, shown())));
  }
}

/** A table that fits lets its header stick to the window; a wider one scrolls in its box, and needs a tab stop. */
const fitting = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const wide = target.firstElementChild.offsetWidth > target.clientWidth;
    target.classList.toggle("fits", !wide);
    if (wide) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
    markMore(target);
  }
});

/** Fades the edge of a box that can be scrolled on to the right. */
function markMore(box) {
  box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
}

for (const grid of document.querySelectorAll(".grid")) {
  const table = grid.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  setUpSorting(table, rows);
  setUpFilter(grid, table, rows);
  setUpKeys(table);
  setUpCopying(grid, table);
  const box = grid.querySelector(".box");
  fitting.observe(box);
  box.addEventListener("scroll", () => markMore(box), { passive: true });
}
