// The window that the slider or a click into the chart chooses: what the model says, and the beats.
{
  const data = JSON.parse(document.getElementById("windows").textContent);
  const chart = document.getElementById("chart");
  const [cursor, slider, said, beat] = ["cursor", "window", "said", "beat"].map((id) => document.getElementById(id));
  const { left, right, width, hours } = Object.fromEntries(Object.entries(chart.dataset).map(([key, text]) => [key, Number(text)]));
  const bytes = Uint8Array.from(atob(data.beats), (letter) => letter.charCodeAt(0));
  const samples = new Int16Array(bytes.buffer); // of each window with an answer the lower edge, the mean and the upper edge
  const [SAMPLES, HEIGHT, BASE, FOOT, EDGE] = [120, 210, 34, 20, 6];
  const placeOf = new Map(data.decision.flatMap((decision, i) => (decision === null ? [] : [i])).map((i, place) => [i, place]));

  let [low, high] = [Infinity, -Infinity];
  for (const value of samples) [low, high] = [Math.min(low, value), Math.max(high, value)];
  for (const value of data.learned) [low, high] = [Math.min(low, value), Math.max(high, value)];

  const across = (sample) => BASE + ((340 - BASE - EDGE) * sample) / (SAMPLES - 1);
  const up = (value) => EDGE + ((HEIGHT - FOOT - EDGE) * (high - value)) / (high - low || 1);
  const path = (values) => [...values].map((value, i) => `${across(i).toFixed(1)} ${up(value).toFixed(1)}`).join("L");

  function add(name, attributes, text = "") {
    const part = document.createElementNS(beat.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    part.textContent = text;
    beat.append(part);
  }

  function drawBeat(i) {
    beat.replaceChildren();
    for (const value of [low, high]) {
      if (Number.isFinite(value)) add("text", { x: BASE - 4, y: up(value) + 4, "text-anchor": "end" }, (value / 1000).toFixed(1));
    }
    for (const [ms, anchor] of [[-320, "start"], [0, "middle"], [640, "end"]]) {
      add("text", { x: across((ms + 320) / 8), y: HEIGHT - 4, "text-anchor": anchor }, `${ms} ms`);
    }
    add("text", { x: BASE, y: 12 }, "mV");
    if (data.learned.length) add("path", { class: "learned", d: `M${path(data.learned)}` });
    if (!placeOf.has(i)) return;
    const from = 3 * SAMPLES * placeOf.get(i);
    const [lower, mean, upper] = [0, 1, 2].map((k) => samples.subarray(from + k * SAMPLES, from + (k + 1) * SAMPLES));
    const back = [...upper].map((value, k) => `${across(k).toFixed(1)} ${up(value).toFixed(1)}`).reverse().join("L");
    add("path", { class: "spread", d: `M${path(lower)}L${back}Z` });
    add("path", { class: "mean", d: `M${path(mean)}` });
  }

  function show(i) {
    const x = left + ((width - left - right) * data.hours[i]) / hours;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x);
    cursor.style.visibility = "visible";
    slider.value = i;
    said.textContent = data.said[i];
    slider.setAttribute("aria-valuetext", data.said[i]);
    drawBeat(i);
  }

  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const hour = (((event.clientX - box.left) * width) / box.width - left) * (hours / (width - left - right));
    let best = 0;
    data.hours.forEach((at, i) => {
      if (Math.abs(at - hour) < Math.abs(data.hours[best] - hour)) best = i;
    });
    show(best);
  });
  slider.addEventListener("input", () => show(Number(slider.value)));
  show(Number(slider.value));
}
