// Reviewing without a mouse.

import { byId } from "./dom.js";
import { choose, neighbour } from "./list.js";
import { choice, confirm, skip, takeBack } from "./panel.js";
import { toggleHeat, toggleZoom } from "./viewer.js";

const LETTERS = "leukoscope-letters";

const go = (steps) => {
  const item = neighbour(steps);
  if (item) choose(item);
};

const LETTER = { s: skip, u: takeBack, j: () => go(1), k: () => go(-1), h: toggleHeat, z: toggleZoom };
const OTHER = { Enter: confirm, ArrowDown: () => go(1), ArrowUp: () => go(-1) };

function pressed(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (target.matches("select, textarea, summary") || (target.matches("input") && target.type !== "range")) return;
  if (byId("letters").checked && key === "?") return act(event, () => byId("help").showModal());
  if (byId("review").hidden) return;
  if (OTHER[key]) {
    // Enter on a button presses the button, arrows on the slider move it.
    if (key === "Enter" ? !target.matches("button, a, label") : target.type !== "range") act(event, OTHER[key]);
    return;
  }
  if (!byId("letters").checked) return;
  if (/^[1-9]$/.test(key)) act(event, () => choice(Number(key) - 1));
  else if (LETTER[key.toLowerCase()]) act(event, LETTER[key.toLowerCase()]);
}

function act(event, work) {
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Arrow")) work();
}

export function start() {
  byId("letters").checked = localStorage.getItem(LETTERS) !== "off";
  byId("letters").addEventListener("change", () =>
    localStorage.setItem(LETTERS, byId("letters").checked ? "on" : "off"));
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  document.addEventListener("keydown", pressed);
}
