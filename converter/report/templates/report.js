// Layers without a kernel are shown when they are asked for.
const all = document.getElementById("all-layers");
const show = () => document.getElementById("layers").classList.toggle("all", all.checked);
all.addEventListener("change", show);
show();
