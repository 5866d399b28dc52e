// frames[i] and steps[i]: {label, groups: {id: markup}, about: {id: text}}; groups are what differs from the page.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const view = document.getElementById("view"), tip = document.getElementById("tip");
const byId = (id) => document.getElementById(id);
const whole = view.getAttribute("viewBox").split(" ").map(Number);
let box = [...whole], about = { ...data.about }, kept = null;

const first = {};
for (const state of [...data.frames, ...data.steps])
  for (const id of Object.keys(state.groups)) {
    const group = byId(id);
    if (group && !(id in first)) first[id] = group.outerHTML;
  }

function put(id, markup) {
  const group = byId(id);
  if (!group) return;
  const hidden = group.classList.contains("folded");
  const holder = document.createElementNS("http://www.w3.org/2000/svg", "g");
  holder.innerHTML = markup;
  const fresh = holder.firstElementChild;
  if (hidden) fresh.classList.add("folded");
  group.replaceWith(fresh);
}

function show(state) {
  for (const id of Object.keys(first)) put(id, state && state.groups[id] ? state.groups[id] : first[id]);
  about = { ...data.about, ...(state ? state.about : {}) };
  if (kept) tell(kept);
}

function slider(name, states, otherwise) {
  const input = byId(name), now = byId(name + "-now");
  if (states.length < 2) { byId(name + "s-label").style.display = "none"; return; }
  input.max = states.length - 1;
  input.value = otherwise;
  now.textContent = states[otherwise].label;
  input.addEventListener("input", () => {
    show(states[+input.value]);
    now.textContent = states[+input.value].label;
  });
}
slider("frame", data.frames, data.frames.length - 1);
slider("step", data.steps, 0);

// pointing
const thing = (event) => event.target.closest("[data-unit], [data-node], [data-cell]");
function tell(id, event) {
  const text = about[id];
  if (!text) { tip.style.display = "none"; return; }
  tip.textContent = text;
  tip.style.display = "block";
  if (event) {
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const y = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
    tip.style.left = Math.max(4, x) + "px";
    tip.style.top = Math.max(4, y) + "px";
  }
}
for (const group of view.querySelectorAll("g > title")) group.remove();
view.addEventListener("mousemove", (event) => {
  if (kept) return;
  const group = thing(event);
  if (group) tell(group.id, event); else tip.style.display = "none";
});
view.addEventListener("click", (event) => {
  const group = thing(event);
  for (const old of view.querySelectorAll(".chosen")) old.classList.remove("chosen");
  kept = group && about[group.id] ? group.id : null;
  if (group && kept) { group.classList.add("chosen"); tell(kept, event); } else tip.style.display = "none";
});

// zooming and moving
function set(next) { box = next; view.setAttribute("viewBox", box.join(" ")); }
view.addEventListener("wheel", (event) => {
  event.preventDefault();
  const factor = event.deltaY > 0 ? 1.15 : 1 / 1.15;
  const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(view.getScreenCTM().inverse());
  set([place.x - (place.x - box[0]) * factor, place.y - (place.y - box[1]) * factor, box[2] * factor, box[3] * factor]);
}, { passive: false });
let grip = null;
view.addEventListener("pointerdown", (event) => { grip = [event.clientX, event.clientY, ...box]; view.classList.add("moving"); });
addEventListener("pointermove", (event) => {
  if (!grip) return;
  const scale = 1 / view.getScreenCTM().a;
  set([grip[2] - (event.clientX - grip[0]) * scale, grip[3] - (event.clientY - grip[1]) * scale, box[2], box[3]]);
});
addEventListener("pointerup", () => { grip = null; view.classList.remove("moving"); });
byId("whole").addEventListener("click", () => set([...whole]));

// folding: what is inside a frame, and the lines that end there
const frames = [...view.querySelectorAll("[data-inside]")];
if (!frames.length) byId("fold").style.display = "none";
byId("fold").addEventListener("click", () => {
  const folded = byId("fold").getAttribute("aria-pressed") !== "true";
  byId("fold").setAttribute("aria-pressed", folded);
  byId("fold").textContent = folded ? "unfold the layer" : "fold the layer";
  for (const frame of frames) {
    const inside = new Set(frame.dataset.inside.split(" "));
    for (const id of inside) byId("unit" + id)?.classList.toggle("folded", folded);
    for (const line of view.querySelectorAll("[data-from]"))
      if (inside.has(line.dataset.from) && inside.has(line.dataset.to)) line.classList.toggle("folded", folded);
    for (const more of view.querySelectorAll("[data-with]")) more.classList.toggle("folded", folded);
    frame.querySelector(".summary")?.remove();
    if (!folded) continue;
    const place = frame.getBBox(), text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    text.setAttribute("class", "summary");
    text.setAttribute("x", place.x + place.width / 2);
    text.setAttribute("y", place.y + place.height / 2);
    text.setAttribute("font-size", 26);
    text.setAttribute("text-anchor", "middle");
    text.setAttribute("fill", "currentColor");
    text.textContent = inside.size + " operations × " + frame.dataset.layers;
    frame.append(text);
  }
});
