// The page, put together.

import * as api from "./api.js";
import { byId, say } from "./dom.js";
import * as keyboard from "./keyboard.js";
import * as list from "./list.js";
import * as panel from "./panel.js";
import * as queue from "./queue.js";
import * as reviewing from "./reviewing.js";
import { changed, state } from "./state.js";
import * as tables from "./tables.js";
import * as viewer from "./viewer.js";

function view(name) {
  for (const main of document.querySelectorAll("main")) main.hidden = main.dataset.view !== name;
  for (const button of document.querySelectorAll("nav button")) {
    if (button.dataset.view === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (name === "patients") tables.patients();
  if (name === "kept") tables.kept().catch((error) => say(error.message));
}

function accept(files) {
  queue.add(files, byId("next-patient").value.trim());
  view("review");
}

function chooseFiles() {
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", () => {
      accept(queue.chosen(byId(id)));
      byId(id).value = "";
    });
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("stage").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) byId("stage").classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    byId("stage").classList.remove("over");
    accept(await queue.dropped(event.dataTransfer));
  });
}

async function start() {
  state.about = await api.about();
  reviewing.setPerson(state.about.person ?? reviewing.rememberedPerson());
  byId("person").disabled = state.about.person !== null;
  byId("person").addEventListener("click", reviewing.askPerson);
  byId("keeping").textContent = state.about.keeps_pictures
    ? "Images you confirm or correct are kept by this service."
    : "Images are answered from memory and not kept.";
  for (const part of [list, viewer, panel, tables, keyboard]) part.start();
  for (const button of document.querySelectorAll("nav button")) {
    button.addEventListener("click", () => view(button.dataset.view));
  }
  chooseFiles();
  window.addEventListener("beforeunload", (event) => {
    if (reviewing.open()) event.preventDefault();
  });
  changed();
  document.body.dataset.ready = "yes";
}

start().catch((error) => say(error.message));
