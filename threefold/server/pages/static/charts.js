"use strict";
// Draws the curves of a run, and of several runs beside one another. Points come as JSON from the address that the
// page names; smoothing, scale and axis are settled here, so that turning a knob asks the server nothing.
(() => {
  const place = document.querySelector("[data-charts]");
  if (!place) return;
  const root = document.documentElement;
  const probe = document.body.appendChild(Object.assign(document.createElement("i"), { hidden: true }));
  const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  const LINES = 10; // colours there are; the next round is dashed
  const knobs = { smooth: 0, log: false, logx: false, x: "step" };
  const drawn = new Map(), shown = new Set();
  let points = new Map();

  const written = (value) => (value == null ? "–" : Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-4) ? value.toExponential(3) : String(+value.toPrecision(5)));
  const tick = (value) => (Math.abs(value) >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M` : Math.abs(value) >= 1e4 ? `${+(value / 1e3).toPrecision(3)}k` : Math.abs(value) < 1e-3 && value ? value.toExponential(0) : String(+value.toPrecision(4)));

  // Exponential mean, corrected for its start as in Adam: the first points are not pulled to zero.
  function smoothed(values, weight) {
    if (!weight) return values;
    let sum = 0, part = 0;
    return values.map((value) => {
      if (value == null) return null;
      sum = weight * sum + (1 - weight) * value;
      part = weight * part + (1 - weight);
      return sum / part;
    });
  }

  // One x axis for all lines: the union of their places.
  function joined(lines) {
    const x = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const at = new Map(x.map((value, index) => [value, index]));
    return [x, ...lines.map((line) => {
      const column = new Array(x.length).fill(undefined); // undefined: nothing was logged here; null: what was, is no number
      line.x.forEach((value, index) => { column[at.get(value)] = line.y[index]; });
      return column;
    })];
  }

  function linesOf(figure) {
    if (figure.dataset.shape !== undefined) {
      const shapes = points.get(`shape ${figure.dataset.shape}`) || [];
      return shapes.map((shape) => ({ ...shape, x: shape.points.map((p) => p[0]), y: shape.points.map((p) => p[1]) }));
    }
    return (points.get(figure.dataset.metric) || []).map((line) => {
      const start = line.at.length ? Math.min(...line.at) : 0;
      const time = line.at.map((at) => (at - start) / 1000);
      let order = time.map((_, index) => index);
      if (knobs.x === "time") order.sort((a, b) => time[a] - time[b]);
      if (knobs.logx) order = order.filter((index) => (knobs.x === "time" ? time[index] : line.steps[index]) > 0);
      const x = order.map((index) => (knobs.x === "time" ? time[index] : line.steps[index]));
      let y = smoothed(order.map((index) => line.values[index]), knobs.smooth);
      if (knobs.log) y = y.map((value) => (value > 0 ? value : null));
      return { ...line, x, y };
    });
  }

  function tooltip(lines, xName) {
    let box;
    return {
      init: (u) => { box = Object.assign(document.createElement("div"), { className: "tip", hidden: true }); u.over.appendChild(box); },
      setCursor: (u) => {
        const { idx, left, top } = u.cursor;
        box.hidden = idx == null || left < 0;
        if (box.hidden) return;
        box.replaceChildren(Object.assign(document.createElement("b"), { textContent: `${xName} ${written(u.data[0][idx])}` }));
        lines.forEach((line, index) => {
          const value = u.data[index + 1][idx];
          if (value == null) return;
          box.append(Object.assign(document.createElement("div"), { textContent: lines.length > 1 ? `${line.label}  ${written(value)}` : written(value) }));
        });
        const room = u.over.clientWidth - box.offsetWidth - 12;
        box.style.left = `${left + 14 > room ? Math.max(0, left - box.offsetWidth - 14) : left + 14}px`;
        box.style.top = `${Math.max(0, Math.min(top - 20, u.over.clientHeight - box.offsetHeight))}px`;
      },
    };
  }

  function options(lines, width, xName, shape) {
    const axis = { stroke: colour("soft"), font: FONT, grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false } };
    const tip = tooltip(lines, xName), few = Math.max(...lines.map((line) => line.x.length)) < 30;
    return {
      width, height: shape ? 260 : 210, legend: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: false, distr: knobs.logx && !shape ? 3 : 1 }, y: { distr: knobs.log && !shape ? 3 : 1 } },
      axes: [{ ...axis, size: 26, values: (_, splits) => splits.map((v) => (v == null ? "" : tick(v))) }, { ...axis, size: 52, values: (_, splits) => splits.map((v) => (v == null ? "" : tick(v))) }],
      series: [{}, ...lines.map((line) => ({
        label: line.label, stroke: colour(`c${(line.number % LINES) + 1}`), width: 1.6, dash: line.number >= LINES ? [6, 4] : undefined,
        spanGaps: false, points: { show: few && !shape, size: 5 },
      }))],
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false } },
      hooks: { init: [tip.init], setCursor: [tip.setCursor] },
    };
  }

  function draw(figure) {
    const target = figure.querySelector(".plot"), shape = figure.dataset.shape !== undefined;
    const lines = linesOf(figure).filter((line) => line.x.length);
    drawn.get(figure)?.destroy();
    drawn.delete(figure);
    target.replaceChildren();
    if (!lines.some((line) => line.y.some((value) => value != null))) {
      target.append(Object.assign(document.createElement("p"), { className: "none", textContent: knobs.log ? "nothing above zero to draw" : "no number to draw" }));
      return;
    }
    const xName = shape ? "x" : knobs.x === "time" ? "seconds" : "step";
    drawn.set(figure, new uPlot(options(lines, target.clientWidth, xName, shape), joined(lines), target));
    tell(figure, target, lines);
  }

  // The chart in one sentence, for those who do not see it.
  function tell(figure, target, lines) {
    const parts = lines.slice(0, 20).map((line) => {
      const numbers = line.y.filter((value) => value != null);
      return `${lines.length > 1 ? `${line.label}: ` : ""}from ${written(numbers[0])} to ${written(numbers[numbers.length - 1])}, lowest ${written(Math.min(...numbers))}, highest ${written(Math.max(...numbers))}`;
    });
    target.setAttribute("aria-label", `${figure.dataset.metric ?? figure.dataset.shape}: ${parts.join("; ")}`);
    const sampled = lines.find((line) => line.sampled), caption = figure.querySelector("figcaption");
    if (sampled && !caption.querySelector("small")) caption.append(Object.assign(document.createElement("small"), { textContent: `a sample of ${sampled.points.toLocaleString("en")} points` }));
  }

  async function fetchFor(figures) {
    const asked = new URLSearchParams(place.dataset.query || "");
    for (const figure of figures) asked.append(...(figure.dataset.shape !== undefined ? ["shape", figure.dataset.shape] : ["metric", figure.dataset.metric]));
    const answer = await fetch(`${place.dataset.charts}?${asked}`, { headers: { accept: "application/json" } });
    if (!answer.ok) return null;
    const found = await answer.json();
    for (const [name, line] of Object.entries(found.lines || {})) points.set(name, Array.isArray(line) ? line : [{ ...line, label: name, number: 0 }]);
    for (const [name, shape] of Object.entries(found.shapes || {})) points.set(`shape ${name}`, shape.length && shape[0].points ? shape : [{ points: shape, label: name, number: 0 }]);
    return found;
  }

  // Charts are fetched and drawn when they come into sight, a few at once.
  let waiting = [];
  async function flush() {
    const figures = waiting.splice(0, 12);
    if (!figures.length) return;
    if (await fetchFor(figures)) figures.forEach(draw);
    if (waiting.length) flush();
  }
  const watch = new IntersectionObserver((entries) => {
    const idle = !waiting.length;
    for (const entry of entries) {
      if (!entry.isIntersecting || shown.has(entry.target)) continue;
      shown.add(entry.target);
      waiting.push(entry.target);
    }
    if (idle && waiting.length) queueMicrotask(flush);
  }, { rootMargin: "300px" });
  place.querySelectorAll(".chart").forEach((figure) => watch.observe(figure));

  const known = (figure) => points.has(figure.dataset.shape !== undefined ? `shape ${figure.dataset.shape}` : figure.dataset.metric);
  const again = () => [...shown].filter(known).forEach(draw);
  document.querySelector("[data-knobs]")?.addEventListener("input", (event) => {
    const { name, type, checked, value } = event.target;
    knobs[name] = type === "checkbox" ? checked : name === "smooth" ? Number(value) : value;
    again();
  });
  document.querySelector("[data-knobs]")?.addEventListener("submit", (event) => event.preventDefault());
  let width = innerWidth, later;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar changes the height only
    width = innerWidth;
    clearTimeout(later);
    later = setTimeout(again, 120);
  });
  addEventListener("themechange", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

  // A run that is still going: look again for what was logged since.
  if (place.dataset.every) {
    const timer = setInterval(async () => {
      if (document.hidden) return;
      const figures = [...shown];
      const found = figures.length ? await fetchFor(figures) : null;
      if (found) figures.forEach(draw);
      if (found?.status && found.status !== "running") clearInterval(timer);
    }, 1000 * place.dataset.every);
  }
})();
