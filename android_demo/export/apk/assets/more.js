
// The benchmark of the app. `phone` is the activity's only function for the page, see smali/bnext/app/Measurement.smali: it
// starts the engine's own program, whose text `measured` gets.

const POINT_SECONDS = 2; // Of a measurement: a point of the curve, and a repetition in the results.

let arrived = null;
function measured(text) {
  arrived?.(text);
  arrived = null;
}
function runProgram(threads, seconds) {
  return new Promise((resolve) => {
    arrived = resolve;
    phone.measure(threads, seconds);
  });
}

// As android_demo/tools/benchmark_model/parser.py, of what the engine's program prints.
const pairs = (text, form) => Object.fromEntries([...(text ?? "").matchAll(form)].map(([, key, value]) => [key, Number(value)]));
function readOutput(text) {
  const [warmup, inference] = [...text.matchAll(/^INFO: (count=.*)$/gm)].map(([, line]) => pairs(line, /(\w+)=([-+.\de]+)/g));
  const timings = pairs(/timings in us: (.*)/.exec(text)?.[1], /([A-Z][^:,]*): ([-+.\de]+)/g);
  const errors = [...text.matchAll(/^ERROR: (.*)$/gm)].map(([, line]) => line);
  const status = /^INFO: Status: (\d+)$/m.exec(text)?.[1];
  if (!("Inference (avg)" in timings))
    throw new Error(errors[0] ?? `The engine's program ended without an answer (status ${status ?? "unknown"}).`);
  return {
    device: /^INFO: Device: (.*)$/m.exec(text)?.[1] ?? "",
    android: /^INFO: Android: (.*)$/m.exec(text)?.[1] ?? "",
    output: {
      started: true,
      init_us: timings["Init"],
      first_inference_us: timings["First inference"],
      warmup_avg_us: timings["Warmup (avg)"],
      inference_avg_us: timings["Inference (avg)"],
      warmup,
      inference,
      kernels: /^INFO: Kernels: (\w+)$/m.exec(text)?.[1] ?? "",
    },
  };
}

// The format of android_demo/results: one measurement for each number of threads, the last one made.
const measurements = new Map();
const stamp = () => new Date().toISOString().replace(/\.\d+Z/, "Z");
function toMeasurement(threads, points, started_at) {
  const { device, android } = points[0];
  return {
    device: { kind: "adb", id: device || "phone", model: device, os: `Android ${android}`.trim() },
    tool: { kind: "bnext_engine_app", version: about.app.version },
    model: about.app.model,
    settings: { threads, runs: 50, warmup_runs: 1, repetitions: points.length },
    state: "ok",
    started_at,
    repetitions: points.map(({ output, started_at, seconds }) => ({ started_at, seconds, output, exit_code: 0 })),
  };
}

const meanOf = (point) => point.output.inference_avg_us / 1000;
const exact = (ms) => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;

function showCurve(points) {
  const svg = byId("bench-curve"), namespace = "http://www.w3.org/2000/svg";
  const make = (name, attributes, text = "") => {
    const made = document.createElementNS(namespace, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const times = points.map(({ at }) => at), values = points.map(meanOf);
  const last = Math.max(...times), most = 1.15 * Math.max(...values);
  const x = (at) => 110 + 520 * (last > times[0] ? (at - times[0]) / (last - times[0]) : 0);
  const y = (ms) => 170 - 150 * (ms / most);
  const line = points.map((point, i) => `${i ? "L" : "M"}${x(point.at).toFixed(1)} ${y(meanOf(point)).toFixed(1)}`);
  const ends = [Math.max(...values), 0];
  svg.replaceChildren(
    ...ends.map((ms) => make("line", { x1: 110, x2: 630, y1: y(ms), y2: y(ms) })),
    ...ends.map((ms) => make("text", { x: 100, y: y(ms) + 7, "text-anchor": "end" }, ms ? exact(ms) : "0")),
    make("text", { x: 630, y: 194, "text-anchor": "end" }, `${Math.round(last)} s`),
    make("path", { d: line.length > 1 ? line.join("") : `${line[0]}h1` }),
  );
  svg.setAttribute("aria-label", `Time for an image, from ${exact(values[0])} at first to ${exact(values.at(-1))} at last`);
  svg.removeAttribute("hidden");
}

function showResults() {
  const cell = (textContent) => element("td", { textContent });
  byId("bench-rows").replaceChildren(
    ...[...measurements].sort(([a], [b]) => a - b).map(([threads, { repetitions }]) => {
      const series = repetitions.map(({ output }) => output);
      const mean = series.reduce((sum, output) => sum + output.inference_avg_us, 0) / series.length / 1000;
      const least = Math.min(...series.map(({ inference }) => inference.min)) / 1000;
      const most = Math.max(...series.map(({ inference }) => inference.max)) / 1000;
      const images = series.reduce((sum, { inference }) => sum + inference.count, 0);
      const heading = element("th", { scope: "row", textContent: threads });
      return element("tr", {}, heading, ...[exact(mean), exact(least), exact(most), images].map(cell));
    }),
  );
  const results = { schema_version: about.app.schema_version, measurements: [...measurements.values()] };
  byId("bench-json").value = JSON.stringify(results, null, 1);
  show("bench-results", true);
}

let measuring = false, stopping = false;
async function benchmark() {
  const button = byId("bench-start");
  if (measuring) return void (stopping = button.disabled = true); // Ends with the point that is being measured.
  measuring = true;
  complain("");
  button.textContent = "Stop benchmark";
  const threads = Number(byId("bench-threads").value), seconds = Number(byId("bench-seconds").value);
  const started_at = stamp(), start = performance.now(), points = [];
  try {
    byId("bench-now").textContent = "Measuring …";
    while (!stopping && performance.now() - start < 1000 * seconds) {
      const began = performance.now(), began_at = stamp();
      const found = readOutput(await runProgram(threads, POINT_SECONDS));
      const now = performance.now();
      points.push({ ...found, started_at: began_at, seconds: (now - began) / 1000, at: (now - start) / 1000 });
      showCurve(points);
    }
    measurements.set(threads, toMeasurement(threads, points, started_at));
    showResults();
    const change = meanOf(points.at(-1)) / meanOf(points[0]);
    byId("bench-now").textContent =
      `${exact(meanOf(points[0]))} at first, ${exact(meanOf(points.at(-1)))} at last: ${change.toFixed(2)} times.`;
  } catch (error) {
    byId("bench-now").textContent = "";
    complain(error.message);
  }
  measuring = stopping = button.disabled = false;
  button.textContent = "Start benchmark";
}

document.addEventListener("DOMContentLoaded", () => {
  const cores = navigator.hardwareConcurrency || 1;
  for (let threads = 1; threads <= Math.min(cores, 8); threads *= 2)
    byId("bench-threads").append(element("option", { value: threads, textContent: threads }));
  byId("bench-start").addEventListener("click", benchmark);
  byId("bench-copy").addEventListener("click", async () => {
    byId("bench-json").select();
    await navigator.clipboard?.writeText(byId("bench-json").value).catch(() => document.execCommand("copy"));
  });
});
