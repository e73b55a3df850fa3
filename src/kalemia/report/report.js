// What the page gains by a script; without it everything can still be read.
"use strict";

// The section in view is the current one of the navigation.
{
  const links = new Map();
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    links.set(document.getElementById(link.hash.slice(1)), link);
  }
  const sections = [...links.keys()];
  let current = null;
  const mark = () => {
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 2;
    const begun = sections.filter((section) => section.getBoundingClientRect().top < window.innerHeight / 3);
    const link = links.get(atEnd ? sections.at(-1) : begun.at(-1) ?? sections[0]);
    if (link === current) return;
    current?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    current = link;
    const list = link.closest("ol"); // a strip that scrolls sideways, where the window is narrow
    list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
  };
  if (sections.length) {
    addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
    addEventListener("resize", mark);
    mark();
  }
}

// What a link leads to is unfolded first.
{
  const unfold = (hash) => {
    const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target) return;
    target.querySelector(":scope > details")?.setAttribute("open", "");
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  for (const link of document.querySelectorAll("a[href^='#']")) link.addEventListener("click", () => unfold(link.hash));
  addEventListener("hashchange", () => unfold(location.hash));
  unfold(location.hash);
}

// The meaning of a word appears below it: by a click, a tap or the Enter key, and under a pointer.
for (const word of document.querySelectorAll(".term")) {
  const meaning = document.getElementById(word.getAttribute("popovertarget"));
  const place = () => {
    const { left, bottom, top } = word.getBoundingClientRect();
    const { width, height } = meaning.getBoundingClientRect();
    meaning.style.left = `${Math.max(16, Math.min(left, document.documentElement.clientWidth - width - 16))}px`;
    meaning.style.top = `${bottom + height + 12 > window.innerHeight ? top - height - 6 : bottom + 6}px`;
  };
  word.addEventListener("click", () => requestAnimationFrame(place));
  word.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse" || meaning.matches(":popover-open")) return;
    meaning.showPopover();
    place();
    word.addEventListener("pointerleave", () => meaning.hidePopover(), { once: true });
  });
}

// In a narrow window the title stands above the figure, and its columns one below the other: views of the one drawing.
for (const svg of document.querySelectorAll("figure svg[data-title]")) {
  const { width, height } = svg.viewBox.baseVal, drawing = svg.querySelector(":scope > g").id;
  const view = (left, top, across, down) => {
    const part = document.createElementNS(svg.namespaceURI, "svg"), use = document.createElementNS(svg.namespaceURI, "use");
    part.setAttribute("aria-hidden", "true"); // the whole drawing has the label
    part.setAttribute("viewBox", `${left} ${top} ${across} ${down}`);
    use.setAttribute("href", `#${drawing}`);
    part.append(use);
    return part;
  };
  const wide = (what, part) => {
    const strip = document.createElement("div");
    strip.className = "wide";
    strip.tabIndex = 0;
    strip.setAttribute("role", "group");
    strip.setAttribute("aria-label", `${what}, scrolls sideways`);
    strip.append(part);
    return strip;
  };
  const columns = svg.dataset.columns.split(";").map((column) => column.split(" ").map(Number));
  const title = Number(svg.dataset.title), top = Math.min(...columns.map((column) => column[1]));
  const stack = document.createElement("div"), name = document.createElement("p");
  stack.className = "stack";
  name.textContent = svg.getAttribute("aria-label");
  if (columns.length < 2) stack.append(name, wide("Figure", view(0, title, width, height - title)));
  else stack.append(name, ...(top - title > 12 ? [wide("Legend", view(0, title, width, top - title - 2))] : []), ...columns.map((column) => view(...column)));
  svg.parentElement.before(stack);
}

// Only what scrolls sideways is a stop of the Tab key, and shows that it scrolls until its end is in sight.
{
  const look = (wide) => {
    const scrolls = wide.scrollWidth > wide.clientWidth;
    if (scrolls) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
    wide.classList.toggle("scrolls", scrolls);
    wide.classList.toggle("at-end", wide.scrollLeft + wide.clientWidth >= wide.scrollWidth - 2);
  };
  const watch = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));
  for (const wide of document.querySelectorAll(".wide")) {
    watch.observe(wide);
    wide.addEventListener("scroll", () => look(wide), { passive: true });
  }
}

// A figure can be copied as a picture and saved: as SVG and PNG from the page itself, in its light colors.
function svgText(svg) {
  const light = [...document.styleSheets[0].cssRules].find((rule) => rule.selectorText === ":root").style;
  const copy = svg.cloneNode(true), box = svg.viewBox.baseVal;
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  return new XMLSerializer().serializeToString(copy).replace(/var\((--[\w-]+)\)/g, (_, name) => light.getPropertyValue(name).trim());
}

async function pngOf(svg) {
  const image = new Image(), canvas = document.createElement("canvas"), box = svg.viewBox.baseVal;
  image.src = URL.createObjectURL(new Blob([svgText(svg)], { type: "image/svg+xml" }));
  await image.decode();
  const scale = 1920 / box.width;
  [canvas.width, canvas.height] = [1920, Math.round(box.height * scale)];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const svg of document.querySelectorAll("figure svg[data-name]")) {
  const { name, pdf } = svg.dataset, bar = document.createElement("p"), title = svg.getAttribute("aria-label");
  bar.className = "files";
  const offer = (text, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", `${text}: ${title}`);
    button.addEventListener("click", () => act(button));
    bar.append(button);
  };
  offer("Copy", async (button) => {
    const said = await navigator.clipboard.write([new ClipboardItem({ "image/png": pngOf(svg) })]).then(() => "Copied", () => "Not allowed here");
    button.textContent = said;
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  offer("Download SVG", () => save(new Blob([svgText(svg)], { type: "image/svg+xml" }), `${name}.svg`));
  offer("PNG", async () => save(await pngOf(svg), `${name}.png`));
  const link = document.createElement("a");
  [link.href, link.textContent, link.download] = [pdf, "PDF", ""];
  link.setAttribute("aria-label", `PDF: ${title}`);
  bar.append(link);
  svg.closest("figure").append(bar);
}

// What a cell says, without the letters of footnotes.
function textOf(cell) {
  const copy = cell.cloneNode(true);
  for (const aside of copy.querySelectorAll("sup")) aside.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
}

// The texts of a row, one for each column; a cell over several columns stands in the first and leaves the others empty.
function textsOf(row, repeated) {
  return [...row.cells].flatMap((cell) => {
    const text = textOf(cell);
    return [text, ...Array(cell.colSpan - 1).fill(repeated ? text : "")];
  });
}

// Sorting by the buttons that the heads of columns become.
function sortKey(text) {
  const number = text.replace(/\u2212/g, "-").match(/^[+-]?[\d,]*\.?\d+(?=$|[\s%(;])/);
  return number ? Number(number[0].replace(/,/g, "")) : text;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sortBy(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [sortKey(textsOf(row, true)[column]), row]);
  const unknown = (key) => key === "" || key === "\u2013"; // last, whichever way
  rows.sort(([one], [other]) => {
    if (unknown(one) || unknown(other)) return unknown(one) - unknown(other);
    return down ? compare(other, one) : compare(one, other);
  });
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  if (!table.tHead || table.tBodies[0].rows.length < 2) continue;
  let column = 0;
  for (const head of [...table.tHead.rows].at(-1).cells) {
    const place = column;
    column += head.colSpan;
    if (head.tagName !== "TH" || head.colSpan > 1 || !textOf(head)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head, place));
    head.append(button);
  }
}

// A download of each table as CSV; heads above heads become one.
function csvOf(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const heads = table.tHead ? [...table.tHead.rows].map((row) => textsOf(row, true)) : [];
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => textsOf(row, false));
  if (heads.length) rows.unshift(heads.at(-1).map((_, column) => heads.map((row) => row[column]).filter(Boolean).join(" ")));
  return rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

for (const table of document.querySelectorAll(".table table")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "csv";
  button.textContent = "Download as CSV";
  button.setAttribute("aria-label", `Download as CSV: ${textOf(table.caption)}`);
  button.addEventListener("click", () => {
    save(new Blob(["\ufeff", csvOf(table)], { type: "text/csv" }), `${table.id.replace(/^table-/, "")}.csv`);
  });
  table.closest(".table").append(button);
}

// Paper shows what is folded away.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
