"use strict";

let about; // What the page knows of its network.
const KINDS = {
  BinaryConv: "binary convolutions",
  Map: "elementwise",
  Conv: "float convolutions",
  Depthwise: "depthwise convolutions",
  Dense: "dense layers",
  Pool: "pooling",
  Copy: "copies",
  Gather: "copies",
  Softmax: "softmax",
};
const MOST_CARDS = 12;
const MEASURE_SECONDS = 2;

function byId(id) {
  return document.getElementById(id);
}
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
// What an element holds as base64; its text is let go of, since it takes more memory than the network.
function bytesOf(id) {
  const holder = byId(id);
  const text = atob(holder?.textContent.trim() || "");
  holder?.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}
const time = (ms) => `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
const percent = (share) => (share > 0 && share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(1)}%`);
const inWords = (threads) => (threads === 1 ? "one thread" : `${threads} threads`);
const nameOf = (index) => about.labels?.[index] ?? `class ${index}`;
const show = (id, shown) => (byId(id).hidden = !shown);

// The worker, as functions that promise its answers.
let worker;
const waiting = new Map();
let questions = 0;
function startWorker() {
  const code = new Blob([byId("worker").textContent], { type: "text/javascript" });
  worker = new Worker(URL.createObjectURL(code));
  worker.onmessage = ({ data: { number, found, fault } }) => {
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    fault ? reject(new Error(fault)) : resolve(found);
  };
  worker.onerror = () => {
    for (const { reject } of waiting.values()) reject(new Error("This browser does not let the page run its network."));
    waiting.clear();
  };
}
function ask(job, given, moved = []) {
  return new Promise((resolve, reject) => {
    const number = questions++;
    waiting.set(number, { resolve, reject });
    worker.postMessage({ number, job, ...given }, moved);
  });
}

function complain(message) {
  byId("error").textContent = message;
  show("error", message !== "");
}
function announce(message) {
  byId("announcement").textContent = message;
}

// As converter/predict/classifier.py:to_probabilities.
function probabilities(outputs) {
  const values = Array.from(outputs);
  if (!values.every(Number.isFinite)) throw new Error("the network's answers are not finite");
  const sum = values.reduce((a, b) => a + b, 0);
  if (values.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3) return values;
  const most = values.reduce((a, b) => Math.max(a, b));
  const exponentials = values.map((value) => Math.exp(value - most));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / total);
}

async function classify(source) {
  // Upright as the camera noted, and without its colour profile, as networks were trained.
  const picture = await createImageBitmap(source, { colorSpaceConversion: "none" }).catch(() => {
    throw new Error("cannot be read as an image");
  });
  const found = await ask("classify", { picture }, [picture]);
  const shares = probabilities(found.outputs);
  const best = shares.map((share, index) => ({ share, index })).sort((a, b) => b.share - a.share || a.index - b.index);
  return { ...found, best: best.slice(0, 5) };
}

function bar(share) {
  const filled = element("span");
  filled.style.width = `${100 * share}%`;
  return element("span", { className: "bar", ariaHidden: "true" }, filled);
}

function card(title) {
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  const answers = element("ol"), took = element("p", { className: "soft" });
  const made = element("article", {}, canvas, element("div", {}, element("h3", { textContent: title }), answers, took));
  return {
    made,
    fill({ pixels, width, height, best, fitting, running }) {
      Object.assign(canvas, { width, height });
      canvas.setAttribute("aria-label", `${title}, as the network sees it: ${width} by ${height} pixels`);
      canvas.classList.toggle("coarse", width < 112);
      canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
      answers.replaceChildren(
        ...best.map(({ index, share }) =>
          element(
            "li",
            {},
            element("span", { className: "name", textContent: nameOf(index) }),
            element("span", { className: "share", textContent: percent(share) }),
            bar(share),
          ),
        ),
      );
      took.textContent = `${time(running)} in the network, ${time(fitting)} to fit the picture`;
    },
  };
}

function add(entry) {
  byId("results").prepend(entry.made);
  while (byId("results").children.length > MOST_CARDS) byId("results").lastChild.remove();
  show("results-heading", true);
}

let turn = Promise.resolve();
function classifyFiles(files) {
  // One after the other: memory for one picture is enough for all.
  turn = turn.then(async () => {
    complain("");
    const broken = [];
    let last = "";
    for (const file of files) {
      const title = file.name || "picture";
      try {
        const found = await classify(file);
        const entry = card(title);
        entry.fill(found);
        add(entry);
        last = `${title}: ${nameOf(found.best[0].index)}, ${percent(found.best[0].share)}`;
      } catch (error) {
        broken.push(`${title}: ${error.message}`);
      }
    }
    complain(broken.join("; "));
    if (last) announce(files.length > 1 ? `${files.length - broken.length} pictures. ${last}` : last);
  });
  return turn;
}

// The camera: one card, a frame at a time, as fast as the network is.
let stream = null;
async function toggleCamera() {
  if (stream) return stopCamera();
  complain("");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    return complain(error.name === "NotAllowedError" ? "The camera is not allowed here." : `No camera: ${error.message}`);
  }
  byId("camera").textContent = "Stop camera";
  stream.getTracks().forEach((track) => track.addEventListener("ended", stopCamera)); // Pulled out, say.
  const video = element("video", { muted: true, playsInline: true, srcObject: stream });
  const entry = card("Camera");
  let said = -1;
  try {
    await video.play();
    while (stream) {
      const found = await classify(video);
      if (!entry.made.isConnected) add(entry);
      entry.fill(found);
      const best = found.best[0];
      if (best.index !== said && best.share > 0.5) announce(`Camera: ${nameOf((said = best.index))}`);
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    complain(`Camera: ${error.message}`);
    stopCamera();
  }
}
function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  byId("camera").textContent = "Start camera";
}

async function measure() {
  byId("measure").disabled = true;
  announce("Measuring");
  try {
    showSteps(await ask("measure", { seconds: MEASURE_SECONDS }));
  } catch (error) {
    complain(error.message);
  }
  byId("measure").disabled = false;
  byId("measure").focus();
}

function showSteps({ runs, steps, threads = 1 }) {
  const total = steps.reduce((sum, step) => sum + step.milliseconds, 0);
  const kinds = new Map();
  for (const { kind, milliseconds } of steps) {
    const of = kinds.get(KINDS[kind]) || { count: 0, milliseconds: 0 };
    kinds.set(KINDS[kind], { count: of.count + 1, milliseconds: of.milliseconds + milliseconds });
  }
  const cell = (textContent) => element("td", { textContent });
  const heading = (textContent) => element("th", { scope: "row", textContent });
  const rows = [...kinds].sort((a, b) => b[1].milliseconds - a[1].milliseconds);
  byId("kinds").replaceChildren(
    ...rows.map(([kind, { count, milliseconds }]) => {
      const share = milliseconds / (total || 1);
      return element(
        "tr",
        {},
        heading(kind),
        cell(count),
        cell(time(milliseconds)),
        element("td", {}, percent(share), bar(share)),
      );
    }),
  );
  byId("steps").replaceChildren(
    ...steps.map(({ kind, name, milliseconds }) =>
      element("tr", {}, heading(name), cell(KINDS[kind]), cell(`${milliseconds.toFixed(3)} ms`)),
    ),
  );
  byId("total").textContent = `${time(total)} for an image, the mean of ${runs} runs on ${inWords(threads)}.`;
  show("times", true);
  announce(byId("total").textContent);
}

function listen() {
  for (const id of ["files", "photo"])
    byId(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = ""; // The same file again is a change, too.
      classifyFiles(files);
    });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    classifyFiles([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) classifyFiles([...clipboardData.files]);
  });
  byId("measure").addEventListener("click", measure);
  byId("camera").addEventListener("click", toggleCamera);
  show("camera", Boolean(navigator.mediaDevices?.getUserMedia));
  const touch = matchMedia("(pointer: coarse)").matches;
  show("photo-label", touch);
  show("also", !touch);
}

async function start() {
  try {
    startWorker();
    about = JSON.parse(byId("about").textContent);
    // Memory can be shared where the page's server asked for its isolation, and nowhere else.
    const cores = (globalThis.crossOriginIsolated && navigator.hardwareConcurrency) || 1;
    const modules = about.modules.map((name) => ({ name, code: bytesOf(`module-${name}`) }));
    const threaded = about.threaded.map((name) => ({ name, code: bytesOf(`module-${name}`), pages: about.pages }));
    const plan = bytesOf("plan");
    if (cores > 1) modules.unshift(...threaded);
    const { module, threads } = await ask("start", { modules, plan, threads: cores, ...about.images }, [plan]);
    listen();
    byId("ready").textContent = `Ready: WebAssembly, ${about.names[module]}, ${inWords(threads)}.`;
    show("controls", true);
    show("measuring", true);
  } catch (error) {
    byId("ready").textContent = "";
    complain(error.name === "InvalidCharacterError" ? "This page is damaged or cut off. Get it anew." : error.message);
  }
}
document.addEventListener("DOMContentLoaded", start);
