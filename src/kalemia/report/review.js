// The review: decisions by button or key, marks by clicks on a strip, a filter by reason, and the file of decisions.
{
  const excerpts = [...document.querySelectorAll(".excerpt")].map((element) => {
    const { subject, draw, reason } = element.dataset;
    const strip = element.querySelector("svg[data-line]");
    return { element, strip, subject, draw, reason, line: element.querySelector("code"), decision: "", marks: [], note: "" };
  });
  const said = document.getElementById("progress"), reviewer = document.getElementById("reviewer");
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  let current = 0, unsaved = false;

  const lineOf = ({ subject, draw, decision, marks }) =>
    [quoted(subject), draw, decision, quoted(reviewer.value.trim()), "", decision === "reject" ? "" : marks.join(" ")].join(",");
  const show = (excerpt) => {
    excerpt.line.textContent = excerpt.decision ? lineOf(excerpt) : `${quoted(excerpt.subject)},${excerpt.draw},,,,`;
    for (const button of excerpt.element.querySelectorAll("[data-decision]")) {
      button.setAttribute("aria-pressed", String(button.dataset.decision === excerpt.decision));
    }
    const count = (decision) => excerpts.filter((one) => one.decision === decision).length;
    said.textContent = `${count("accept")} accepted, ${count("reject")} rejected, ${count("")} to decide`;
  };
  const decide = (excerpt, decision) => {
    excerpt.decision = excerpt.decision === decision ? "" : decision;
    unsaved = true;
    show(excerpt);
  };
  const goTo = (place) => {
    excerpts[current]?.element.removeAttribute("aria-current");
    current = place;
    excerpts[current].element.setAttribute("aria-current", "true");
    excerpts[current].element.scrollIntoView({ block: "center" });
  };
  const step = (by) => {
    for (let place = current + by; excerpts[place]; place += by) if (!excerpts[place].element.hidden) return goTo(place);
  };

  for (const [place, excerpt] of excerpts.entries()) {
    const { strip, marks } = excerpt, { from, seconds, height } = strip.dataset;
    excerpt.element.addEventListener("click", () => {
      excerpts[current].element.removeAttribute("aria-current");
      current = place;
      excerpt.element.setAttribute("aria-current", "true");
    });
    for (const button of excerpt.element.querySelectorAll("[data-decision]")) {
      button.addEventListener("click", () => decide(excerpt, button.dataset.decision));
    }
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      const second = Number(from) + (seconds * (event.clientX - box.left)) / box.width;
      const near = marks.findIndex((mark) => Math.abs(mark - second) < 0.1);
      if (near < 0) marks.push(second.toFixed(2));
      else marks.splice(near, 1);
      marks.sort((one, other) => one - other);
      for (const old of strip.querySelectorAll(".set")) old.remove();
      for (const mark of marks) {
        const set = document.createElementNS(strip.namespaceURI, "path");
        set.setAttribute("class", "set");
        set.setAttribute("d", `M${((mark - from) / seconds) * strip.viewBox.baseVal.width} 0V${height}`);
        strip.append(set);
      }
      excerpt.decision = marks.length ? "accept" : "";
      unsaved = true;
      show(excerpt);
    });
  }

  reviewer.addEventListener("input", () => excerpts.forEach(show));
  document.getElementById("reason").addEventListener("change", ({ target }) => {
    for (const { element, reason } of excerpts) element.hidden = target.value !== "" && reason !== target.value;
    for (const part of document.querySelectorAll(".part")) part.hidden = !part.querySelector(".excerpt:not([hidden])");
  });
  document.getElementById("values").addEventListener("change", ({ target }) => {
    document.body.classList.toggle("with-values", target.checked);
  });
  document.getElementById("download").addEventListener("click", () => {
    if (!reviewer.value.trim()) {
      said.textContent = "Write your name first: every decision needs one.";
      reviewer.focus();
      return;
    }
    const decided = excerpts.filter((one) => one.decision);
    const again = (line) => decided.some(({ subject, draw }) => line.startsWith(`${quoted(subject)},${draw},`));
    const earlier = [...document.getElementById("earlier").content.children].map((line) => line.textContent);
    const lines = ["subject_id,draw_id,decision,reviewer,note,marks_s", ...earlier.filter((line) => !again(line)), ...decided.map(lineOf)];
    save(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), "review.csv");
    unsaved = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey || !excerpts.length) return;
    const act = { a: () => decide(excerpts[current], "accept"), r: () => decide(excerpts[current], "reject") };
    const move = { j: () => step(1), k: () => step(-1) };
    const done = act[event.key] ?? move[event.key];
    if (!done) return;
    event.preventDefault();
    done();
    if (event.key in act && excerpts[current].decision) step(1);
  });
  addEventListener("beforeunload", (event) => {
    if (unsaved && navigator.userActivation?.hasBeenActive) event.preventDefault();
  });
  excerpts.forEach(show);
  excerpts[0]?.element.setAttribute("aria-current", "true");
}
