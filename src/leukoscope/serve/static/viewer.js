// The image, and over it where the network looked.

import * as api from "./api.js";
import { byId, make } from "./dom.js";
import { follow, state } from "./state.js";

const maps = new Map(); // "hash class" to the promise of a heat map's address
let item = null;

function fit() {
  const picture = byId("picture"), stage = byId("stage"), frame = byId("frame");
  const { naturalWidth: width, naturalHeight: height } = picture;
  if (!width) return;
  const full = byId("zoom").getAttribute("aria-pressed") === "true";
  const scale = full ? Math.max(1, stage.clientWidth / width)
    : Math.min((stage.clientWidth - 24) / width, (stage.clientHeight - 24) / height);
  frame.style.width = `${Math.floor(width * scale)}px`;
  frame.style.height = `${Math.floor(height * scale)}px`;
  stage.classList.toggle("full", full);
  // The network saw the largest square in the middle: there the map lies.
  const side = Math.min(width, height) * scale, heat = byId("heat");
  heat.style.width = heat.style.height = `${side}px`;
  heat.style.left = `${(width * scale - side) / 2}px`;
  heat.style.top = `${(height * scale - side) / 2}px`;
  heat.classList.toggle("cropped", width !== height);
}

function show() {
  const empty = state.items.length === 0;
  byId("empty").hidden = !empty;
  byId("tools").hidden = empty;
  item = state.current;
  byId("frame").hidden = !item || item.error !== null;
  byId("broken").hidden = !item || item.error === null;
  byId("tools").classList.toggle("idle", !item?.answer);
  if (!item) return;
  if (byId("picture").src !== item.url) {
    byId("picture").src = item.url;
    byId("picture").alt = `The image ${item.name}`;
    byId("heat").hidden = true;
  }
  targets();
  heat();
}

function targets() {
  const classes = state.about.classifier.classes;
  const select = byId("target");
  if (select.options.length !== classes.length) {
    select.replaceChildren(...classes.map((name) => make("option", { value: name, textContent: name })));
  }
  if (item.answer && select.dataset.item !== String(item.id)) {
    select.value = item.answer.suggestion;
    select.dataset.item = String(item.id);
  }
}

async function heat() {
  const share = Number(byId("opacity").value);
  byId("opacity-text").textContent = share ? `${share} %` : "off";
  byId("opacity").setAttribute("aria-valuetext", share ? `${share} per cent` : "off");
  const picture = byId("heat");
  picture.style.opacity = share / 100;
  if (!share || !item?.answer) {
    picture.hidden = true;
    byId("heat-text").textContent = "";
    return;
  }
  const asked = item, target = byId("target").value, key = `${asked.sha256} ${target}`;
  byId("heat-text").textContent = `Yellow is where most spoke for ${target}. It shows where the network looked, not that it was right.`;
  if (!maps.has(key)) maps.set(key, load(asked, target));
  try {
    const address = await maps.get(key);
    if (asked !== item || target !== byId("target").value || byId("opacity").value === "0") return;
    picture.src = address;
    picture.alt = "";
    picture.hidden = false;
  } catch (error) {
    maps.delete(key);
    byId("heat-text").textContent = error.message;
  }
}

async function load(asked, target) {
  try {
    return await api.heat(asked.sha256, target);
  } catch (error) {
    if (error.status !== 404) throw error;
    await api.predict([asked.file]);
    return api.heat(asked.sha256, target);
  }
}

export function toggleHeat() {
  byId("opacity").value = byId("opacity").value === "0" ? "60" : "0";
  heat();
}

export function toggleZoom() {
  const pressed = byId("zoom").getAttribute("aria-pressed") === "true";
  byId("zoom").setAttribute("aria-pressed", String(!pressed));
  fit();
}

export function start() {
  byId("picture").addEventListener("load", fit);
  byId("opacity").addEventListener("input", heat);
  byId("target").addEventListener("change", heat);
  byId("zoom").addEventListener("click", toggleZoom);
  new ResizeObserver(fit).observe(byId("stage"));
  follow((changed) => {
    if (changed === null || changed === state.current) show();
  });
}
