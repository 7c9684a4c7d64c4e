"use strict";
// Draws every chart of the page from the JSON beside it. What is drawn was decided in governance/charts.py.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  const ROLES = { live: "live", frozen: "frozen", guide: "faint" };

  const tone = (role) => colour(ROLES[role] || `c${role}`);

  function written(value, digits) {
    return value == null ? "–" : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // Thousands and millions on the axis are shortened: the table holds the exact amounts.
  function tick(value, digits) {
    if (Math.abs(value) >= 1e6) return `${+(value / 1e6).toFixed(2)} M`;
    if (Math.abs(value) >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
    return String(+value.toFixed(Math.max(digits, 2)));
  }

  function series(spec) {
    return spec.lines.map((line, position) => {
      const stroke = tone(line.role);
      if (spec.kind === "bars") {
        const paths = uPlot.paths.bars({ size: [0.36, 26], align: position === 0 ? -1 : 1, gap: 2, radius: 0.12 });
        return { label: line.label, stroke, fill: stroke, width: 0, paths, points: { show: false } };
      }
      const few = spec.time && spec.x.length < 40;
      const dash = line.role === "frozen" ? [6, 4] : line.role === "guide" ? [2, 4] : undefined;
      const width = line.role === "guide" ? 1.25 : spec.x.length > 60 && spec.time ? 1.4 : 2;
      return {
        label: line.label, stroke, width, dash, spanGaps: !spec.time,
        points: { show: few && line.role !== "guide", size: 6, fill: stroke, stroke },
      };
    });
  }

  function dashed(u, dash, stroke, draw) {
    const { ctx } = u;
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.fillStyle = stroke;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
    ctx.font = FONT.replace("11px", `${11 * devicePixelRatio}px`);
    draw(ctx);
    ctx.restore();
  }

  // Releases are vertical lines with their name on top, alerts small triangles on the floor.
  function marks(spec) {
    return (u) => {
      const { left, top, height, width } = u.bbox;
      let taken = -Infinity;
      for (const mark of spec.marks) {
        const x = Math.round(u.valToPos(mark.x, "x", true));
        if (x < left || x > left + width) continue;
        if (mark.kind === "alert") {
          dashed(u, [], colour("bad"), (ctx) => {
            const base = top + height, size = 6 * devicePixelRatio;
            ctx.beginPath();
            ctx.moveTo(x - size, base);
            ctx.lineTo(x + size, base);
            ctx.lineTo(x, base - 1.7 * size);
            ctx.fill();
          });
          continue;
        }
        const ink = colour(mark.kind === "rollback" ? "bad" : "faint");
        dashed(u, [3, 3], ink, (ctx) => {
          ctx.beginPath();
          ctx.moveTo(x, top);
          ctx.lineTo(x, top + height);
          ctx.stroke();
          const room = ctx.measureText(mark.label).width;
          const start = Math.min(x - room / 2, left + width - room);
          if (start < taken) return; // two releases close together: the first keeps its name
          ctx.fillText(mark.label, start, top - 5 * devicePixelRatio);
          taken = start + room + 3 * devicePixelRatio;
        });
      }
      if (spec.limit == null) return;
      const y = Math.round(u.valToPos(spec.limit, "y", true));
      dashed(u, [6, 4], colour("bad"), (ctx) => {
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
      });
    };
  }

  function place(spec, x) {
    if (!spec.time) return `${spec.x_title} ${written(x, 2)}`;
    const day = new Date(x * 1000);
    const options = { timeZone: "UTC", month: "long", year: "numeric" };
    return day.toLocaleDateString("en-GB", spec.x.length < 40 ? options : { ...options, day: "numeric" });
  }

  function tooltip(spec) {
    let box;
    return {
      init: (u) => {
        box = document.createElement("div");
        box.className = "tip";
        box.hidden = true;
        u.over.appendChild(box);
      },
      setCursor: (u) => {
        const { idx, left, top } = u.cursor;
        box.hidden = idx == null || left < 0;
        if (box.hidden) return;
        box.replaceChildren(Object.assign(document.createElement("b"), { textContent: place(spec, u.data[0][idx]) }));
        spec.lines.forEach((line, position) => {
          const value = u.data[position + 1][idx];
          if (line.role === "guide" || value == null) return;
          box.append(Object.assign(document.createElement("div"), { textContent: `${line.label} ${written(value, spec.digits)}` }));
        });
        const room = u.over.clientWidth - box.offsetWidth - 12;
        box.style.left = `${left + 14 > room ? left - box.offsetWidth - 14 : left + 14}px`;
        box.style.top = `${Math.max(0, Math.min(top - 20, u.over.clientHeight - box.offsetHeight))}px`;
      },
    };
  }

  function axes(spec) {
    const shared = { stroke: colour("soft"), font: FONT, labelFont: FONT, labelSize: 18, grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false } };
    const x = { ...shared, grid: { show: !spec.time, stroke: colour("rule"), width: 1 }, label: spec.x_title || undefined, size: 26 };
    if (spec.ticks.length) {
      x.splits = () => spec.ticks;
      x.values = () => spec.labels;
    }
    const y = { ...shared, label: spec.y_title || undefined, size: 48, values: (_, splits) => splits.map((value) => tick(value, spec.digits)) };
    return [x, y];
  }

  function options(spec, width, height) {
    const y = { range: (_, low, high) => reach(spec, low, high) };
    const x = { time: spec.time, range: spec.span ? () => spec.span : undefined };
    const tip = tooltip(spec);
    const sync = spec.time && spec.x.length < 40 ? { key: "months", setSeries: false } : undefined;
    return {
      width, height, scales: { x, y }, series: [{}, ...series(spec)], axes: axes(spec), legend: { show: false },
      padding: [spec.marks.length ? 18 : 8, 14, 0, 0],
      cursor: { y: false, sync, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      hooks: { init: [tip.init], setCursor: [tip.setCursor], draw: [marks(spec)] },
    };
  }

  function reach(spec, low, high) {
    if (low == null) return [0, 1];
    const top = Math.max(high, spec.limit ?? high), bottom = spec.zero ? Math.min(0, low) : Math.min(low, spec.limit ?? low);
    const air = (top - bottom || Math.abs(top) || 1) * 0.08;
    return spec.x_title ? [0, 1] : [spec.zero ? bottom : bottom - air, top + air];
  }

  function draw(target, spec) {
    drawn.get(target)?.destroy();
    target.replaceChildren();
    const height = target.closest(".wide") ? 300 : spec.time ? 230 : 300;
    const data = [spec.x, ...spec.lines.map((line) => line.values)];
    drawn.set(target, new uPlot(options(spec, target.clientWidth, height), data, target));
  }

  const drawAll = () => document.querySelectorAll(".plot").forEach((target) => draw(target, charts[target.dataset.chart]));
  drawAll();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar changes the height only
    width = innerWidth;
    drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  matchMedia("print").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
})();
