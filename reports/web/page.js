"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const MOST = 30, BANDS = 8, LINES = 600;
  const make = (tag, options = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...children);
    return element;
  };
  const shown = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (typeof value !== "number") return String(value);
    return String(Number(value.toPrecision(6)));
  };

  // Tables: sortable by their heads, filtered by a search field, a hundred rows at a time.
  const key = (cell) => {
    const text = Array.isArray(cell) ? cell[0] : cell;
    if (typeof text === "number" || text === null) return text;
    const number = /^[-+]?[\d,]*\.?\d+(e[-+]?\d+)?([kM])?/.exec(text);
    if (!number) return text;
    const unit = { k: 1e3, M: 1e6 }[number[2]] || 1;
    return Number(number[0].replace(/,/g, "").replace(/[kM]$/, "")) * unit;
  };
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === null || a === "–") return 1;
    if (b === null || b === "–") return -1;
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  function table(host, data, label) {
    let order = null, down = false, words = "", limit = 100;
    const head = make("tr"), body = make("tbody"), note = make("span"), more = make("button", { type: "button" }, "Show more");
    const search = make("input", { type: "search" });
    search.setAttribute("aria-label", "Filter the rows of this table");
    search.placeholder = "Filter rows";
    const draw = () => {
      const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      let rows = data.rows;
      if (wanted.length) rows = rows.filter((row) => {
        const text = row.map((cell) => (Array.isArray(cell) ? cell[0] : cell)).join(" ").toLowerCase();
        return wanted.every((word) => text.includes(word));
      });
      if (order !== null) rows = [...rows].sort((a, b) => (down ? -1 : 1) * compare(key(a[order]), key(b[order])));
      body.replaceChildren(...rows.slice(0, limit).map((row) => make("tr", {}, ...row.map((cell) => {
        const td = make("td");
        if (Array.isArray(cell)) td.append(make("a", { href: encodeURI(cell[1]) }, cell[0]));
        else td.textContent = shown(cell);
        if (/^[-+–]?[\d.∞]/.test(td.textContent) && td.textContent.length < 26) td.className = "short";
        return td;
      }))));
      note.textContent = rows.length > limit ? `${limit} of ${rows.length} rows` : `${rows.length} row${rows.length === 1 ? "" : "s"}`;
      more.hidden = rows.length <= limit;
    };
    data.columns.forEach((name, place) => {
      const th = make("th", { scope: "col" }), button = make("button", { type: "button" }, name || "job");
      button.onclick = () => {
        down = order === place ? !down : false;
        order = place;
        for (const other of head.children) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        draw();
      };
      th.append(button);
      head.append(th);
    });
    search.oninput = () => { words = search.value; limit = 100; draw(); };
    more.onclick = () => { limit += 400; draw(); };
    const element = make("table", {}, make("thead", {}, head), body);
    if (label) element.setAttribute("aria-labelledby", label);
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, element);
    scroll.setAttribute("role", "region");
    if (label) scroll.setAttribute("aria-labelledby", label); else scroll.setAttribute("aria-label", "Table");
    const tools = make("div", { className: "tools" }, ...(data.rows.length > 6 ? [search] : []), note, more);
    host.replaceChildren(tools, scroll);
    draw();
  }
  for (const host of document.querySelectorAll(".table[data-label]")) {
    const source = host.querySelector("script");
    if (source) table(host, JSON.parse(source.textContent), host.dataset.label);
  }

  // Light and dark: the system's, until the button says otherwise.
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
  const bakedDark = root.dataset.theme === "dark";
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const pictures = () => document.querySelectorAll(".picture").forEach((one) => one.classList.toggle("invert", dark() !== bakedDark));
  document.getElementById("theme").onclick = () => { root.dataset.theme = dark() ? "light" : "dark"; pictures(); draw(); };
  system.addEventListener("change", () => { pictures(); draw(); });
  pictures();

  // Curves: base64 of float32, decoded when first asked for.
  const decoded = {};
  function curves(metric) {
    if (!decoded[metric]) {
      const text = atob(D.curves[metric]), bytes = new Uint8Array(text.length);
      for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
      decoded[metric] = new Float32Array(bytes.buffer);
    }
    return decoded[metric];
  }
  const curve = (metric, run) => curves(metric).subarray(run * D.points, (run + 1) * D.points);
  const byJob = D.jobs.map(() => []);
  D.runs.job.forEach((job, run) => byJob[job].push(run));

  // Controls; what was chosen outlives a reload of the page while a sweep is watched.
  const form = document.getElementById("controls");
  let saved = {};
  try { saved = JSON.parse(sessionStorage.getItem("pgbench") || "{}"); } catch (error) { saved = {}; }
  const state = Object.assign({ env: D.envs[0], metric: D.metric, x: "env_steps", mode: "mean", log: false, algorithms: {}, values: {}, ranges: {} }, saved);
  if (!D.envs.includes(state.env)) state.env = D.envs[0];
  if (!(state.metric in D.curves)) state.metric = D.metrics[0];
  const keep = () => { try { sessionStorage.setItem("pgbench", JSON.stringify(state)); } catch (error) { /* a private window */ } };
  const choice = (name, label, options) => {
    const select = make("select", { name });
    for (const [value, text] of options) select.append(make("option", { value, selected: state[name] === value }, text));
    select.onchange = () => { state[name] = select.value; if (name === "env") filters(); draw(); };
    return make("label", { className: "field" }, label, select);
  };
  const boxes = (title, items, chosen) => {
    const set = make("fieldset", {}, make("legend", {}, title));
    for (const [value, text] of items) {
      const box = make("input", { type: "checkbox", value, checked: chosen[value] !== false });
      box.onchange = () => { chosen[value] = box.checked; draw(); };
      set.append(make("label", {}, box, text));
    }
    return set;
  };
  const jobsOf = (env) => D.jobs.map((job, place) => place).filter((place) => D.jobs[place].env === env);
  const filterHost = make("span"); filterHost.style.display = "contents";
  function filters() {
    const jobs = jobsOf(state.env), parts = [];
    const algorithms = [...new Set(jobs.map((place) => D.jobs[place].algorithm))];
    if (algorithms.length > 1) parts.push(boxes("algorithm", algorithms.map((name) => [name, D.algorithms[name].name]), state.algorithms));
    for (const { key: name, name: title } of D.keys) {
      const values = [...new Set(jobs.map((place) => D.jobs[place].values[name]).filter((value) => value !== undefined))];
      if (values.length < 2) continue;
      values.sort(compare);
      if (values.length > 12 && values.every((value) => typeof value === "number")) {
        const range = (state.ranges[name] = state.ranges[name] || {});
        const set = make("fieldset", {}, make("legend", {}, title));
        for (const [end, word, limit] of [["low", "from", values[0]], ["high", "to", values[values.length - 1]]]) {
          const input = make("input", { type: "number", step: "any", placeholder: String(limit) });
          if (range[end] !== undefined && range[end] !== null) input.value = range[end];
          input.oninput = () => { range[end] = input.value === "" ? null : Number(input.value); draw(); };
          set.append(make("label", {}, word, input));
        }
        parts.push(set);
      } else {
        state.values[name] = state.values[name] || {};
        parts.push(boxes(title, values.slice(0, 60).map((value) => [String(value), shown(value)]), state.values[name]));
      }
    }
    filterHost.replaceChildren(...parts);
  }
  const logBox = make("input", { type: "checkbox", checked: state.log });
  logBox.onchange = () => { state.log = logBox.checked; draw(); };
  form.append(
    ...(D.envs.length > 1 ? [choice("env", "Task", D.envs.map((env) => [env, env]))] : []),
    choice("metric", "Metric", D.metrics.map((metric) => [metric, D.names[metric]])),
    choice("x", "Against", [["env_steps", "environment steps"], ...(D.hasSeconds ? [["seconds", "seconds"]] : [])]),
    choice("mode", "Show", [["mean", "mean with 95% band"], ["seeds", "every seed"]]),
    make("label", {}, logBox, " logarithmic"),
    filterHost,
  );

  const passes = (place) => {
    const job = D.jobs[place];
    if (job.env !== state.env || state.algorithms[job.algorithm] === false) return false;
    return D.keys.every(({ key: name }) => {
      const value = job.values[name];
      if (value === undefined) return true;
      if ((state.values[name] || {})[String(value)] === false) return false;
      const { low, high } = state.ranges[name] || {};
      return !(typeof value === "number" && ((low != null && value < low) || (high != null && value > high)));
    });
  };

  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
  const mix = (color, other, share) => "#" + [1, 3, 5].map((k) => Math.round(
    parseInt(color.slice(k, k + 2), 16) * (1 - share) + parseInt(other.slice(k, k + 2), 16) * share).toString(16).padStart(2, "0")).join("");
  const faded = (color, alpha) => `rgba(${[1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16)).join(",")},${alpha})`;

  // The seeds of a job on one axis: [x, a curve per counted seed, the runs' numbers].
  function aligned(place) {
    const runs = byJob[place], grid = D.grids[D.jobs[place].env];
    if (state.x === "env_steps") return [grid, runs.map((run) => curve(state.metric, run)), runs];
    const times = runs.map((run) => curve("seconds", run));
    const end = Math.max(...times.map((time) => time.reduce((most, value) => (value > most ? value : most), 0)));
    const x = Array.from({ length: D.points }, (_, k) => (end * (k + 1)) / D.points);
    const held = runs.map((run, row) => {
      const y = curve(state.metric, run), time = times[row];
      let at = -1, last = -1;
      for (let k = 0; k < D.points; k++) if (!Number.isNaN(time[k])) last = k;
      return x.map((second) => {
        while (at + 1 <= last && !(time[at + 1] > second)) at++; // NaN before the first record is passed
        return at < 0 || second > time[last] ? NaN : y[at];
      });
    });
    return [x, held, runs];
  }
  function summary(place) {
    const [x, seeds, runs] = aligned(place);
    const counted = seeds.filter((_, row) => D.runs.counted[runs[row]]), n = counted.length;
    const mean = [], low = [], high = [], points = [];
    const [least, most] = D.jobs[place].possible[state.metric] || [null, null];
    const inside = (value) => (least !== null && value < least ? least : most !== null && value > most ? most : value);
    for (let k = 0; k < x.length; k++) {
      let sum = 0, square = 0, missing = false;
      for (const seed of counted) {
        if (Number.isNaN(seed[k])) { missing = true; break; }
        sum += seed[k];
      }
      if (missing || !n) continue;
      const middle = sum / n;
      for (const seed of counted) square += (seed[k] - middle) ** 2;
      const half = n > 1 ? D.student[Math.min(n - 2, D.student.length - 1)] * Math.sqrt(square / (n - 1) / n) : NaN;
      points.push(x[k]); mean.push(middle); low.push(inside(middle - half)); high.push(inside(middle + half));
    }
    return { points, mean, low, high, n };
  }

  const plot = document.getElementById("plot");
  function draw() {
    keep();
    if (!D.envs.length) { document.getElementById("count").textContent = "No run has finished an episode yet."; return; }
    const all = jobsOf(state.env).filter(passes);
    const best = (place) => (D.jobs[place].score === null ? -Infinity : D.jobs[place].score);
    let jobs = all;
    if (all.length > MOST) jobs = [...all].sort((a, b) => best(b) - best(a)).slice(0, MOST).sort((a, b) => a - b);
    document.getElementById("count").textContent = all.length > MOST
      ? `The ${MOST} best of ${all.length} jobs by final return; narrow the choice to see others.`
      : `${all.length} job${all.length === 1 ? "" : "s"}, ${all.reduce((sum, place) => sum + byJob[place].length, 0)} seeds.`;
    if (state.mode === "mean" && jobs.length > BANDS) document.getElementById("count").textContent += ` Bands are drawn for up to ${BANDS} jobs; the table below has all intervals.`;
    const counts = {}, places = {}, traces = [], rows = [];
    let smallest = Infinity, largest = -Infinity;
    for (const place of jobs) counts[D.jobs[place].algorithm] = (counts[D.jobs[place].algorithm] || 0) + 1;
    let lines = 0;
    for (const place of jobs) {
      const job = D.jobs[place], mine = (places[job.algorithm] = (places[job.algorithm] || 0) + 1) - 1, many = counts[job.algorithm];
      const color = many > 1 ? mix(D.algorithms[job.algorithm].color, dark() ? "#ffffff" : "#000000", (0.55 * mine) / (many - 1)) : D.algorithms[job.algorithm].color;
      const line = { color, width: 2, dash: DASHES[many > 1 ? mine % DASHES.length : 0] };
      const { points, mean, low, high, n } = summary(place), group = String(place);
      const name = `${job.label} (${job.note})`;
      const last = mean.length - 1;
      rows.push([job.label, n, last < 0 ? null : points[last], last < 0 ? null : mean[last], n > 1 && last >= 0 ? low[last] : null, n > 1 && last >= 0 ? high[last] : null]);
      if (state.mode === "mean") {
        if (n > 1 && jobs.length <= BANDS) traces.push({ x: [...points, ...[...points].reverse()], y: [...high, ...[...low].reverse()], fill: "toself", fillcolor: faded(color, 0.16), line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: group, type: "scatter", mode: "lines" });
        traces.push({ x: points, y: mean, name, legendgroup: group, mode: "lines", type: "scatter", line, customdata: points.map((_, k) => [low[k], high[k]]), hovertemplate: n > 1 ? "%{y:.4~g} [%{customdata[0]:.4~g}, %{customdata[1]:.4~g}]" : "%{y:.4~g}" });
      } else {
        const [x, seeds, runs] = aligned(place);
        seeds.forEach((y, row) => {
          if (lines++ > LINES) return;
          traces.push({ x, y: Array.from(y), name: row ? `${job.label}, seed ${D.runs.seed[runs[row]]}` : name, legendgroup: group, showlegend: row === 0, mode: "lines", type: "scatter", opacity: 0.75, line: { color, width: 1.1, dash: line.dash }, hovertemplate: "%{y:.4~g}" });
        });
      }
      for (const seed of byJob[place]) for (const value of curve(state.metric, seed)) {
        if (value < smallest) smallest = value;
        if (value > largest) largest = value;
      }
    }
    const style = getComputedStyle(root), ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
    const narrow = plot.clientWidth < 600;
    const axis = { color: ink, gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
    const yaxis = { ...axis, type: state.log ? "log" : "linear", title: { text: D.names[state.metric].replace(/ \(/, "<br>(") } };
    if (!state.log && smallest <= largest) { const margin = 0.06 * (largest - smallest) || 1; yaxis.range = [smallest - margin, largest + margin]; }
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, family: "system-ui, sans-serif", size: 13 },
      margin: { l: 60, r: 12, t: 10, b: 50 }, hovermode: jobs.length > 8 || state.mode === "seeds" ? "closest" : "x unified",
      hoverlabel: { bgcolor: style.getPropertyValue("--panel").trim(), font: { color: ink }, namelength: 40 },
      xaxis: { ...axis, title: { text: state.x === "seconds" ? "seconds of training" : "environment steps" }, rangemode: "tozero" }, yaxis,
      showlegend: jobs.length > 0, legend: narrow || jobs.length > 14 ? { orientation: "h", y: -0.25, font: { size: 11 } } : { font: { size: 12 } },
      uirevision: [state.env, state.metric, state.x, state.log].join(),
    };
    for (const trace of traces) if (trace.name && trace.name.length > 60) trace.name = `${trace.name.slice(0, 34)}…${trace.name.slice(-24)}`;
    for (const trace of traces) if (trace.name) trace.name = trace.name.replace(/&/g, "&amp;").replace(/</g, "&lt;");
    plot.style.height = narrow || jobs.length > 14 ? `${Math.min(26 + jobs.length * (narrow ? 1.6 : 0.5), 70)}rem` : "";
    Plotly.react(plot, traces, layout, { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
    table(document.getElementById("shown-table"), { columns: ["job", "n", state.x === "seconds" ? "seconds" : "steps", "mean at the end", "95% low", "95% high"], rows });
  }
  filters();
  draw();
})();
