// Decisions: made here, kept by the service, sent again until it has said so.

import * as api from "./api.js";
import { ask, byId, say } from "./dom.js";
import { again } from "./queue.js";
import { changed, isReviewed, sameFile, state } from "./state.js";

const PERSON = "leukoscope-person";
const unsent = [];
let sending = false;

/** The number of decisions that the service has not said it keeps. */
export const open = () => unsent.length;

export function setPerson(name) {
  state.person = name;
  byId("person").querySelector("b").textContent = name || "not set";
}

/** Asks who reviews, and remembers it in this browser. */
export async function askPerson() {
  byId("who-name").value = state.person;
  if (!(await ask(byId("who"))) || !byId("who-name").value.trim()) return false;
  setPerson(byId("who-name").value.trim());
  localStorage.setItem(PERSON, state.person);
  return true;
}

export const rememberedPerson = () => localStorage.getItem(PERSON) ?? "";

function uuid() {
  // crypto.randomUUID is there on https and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/** Decides on an image: "confirmed", "skipped", "withdrawn", or "corrected" to a class. */
export async function decide(item, decision, label = null) {
  if (!item?.answer) return false;
  if (!state.person && !(await askPerson())) return false;
  const review = {
    id: uuid(), sha256: item.sha256, decision, label, name: item.name,
    patient: item.patient, person: state.person,
  };
  const before = item.saving ?? item.review;
  const chosen = decision === "confirmed" ? item.answer.suggestion : (label ?? "");
  const provisional = decision === "withdrawn" ? null : { ...review, label: chosen, time: null };
  for (const same of sameFile(item.sha256)) Object.assign(same, { review: provisional, saving: review });
  unsent.push({ item, review, before });
  changed(item);
  send();
  return true;
}

async function send() {
  if (sending) return;
  sending = true;
  while (unsent.length) {
    const { item, review } = unsent[0];
    try {
      finish(item, review, await keep(item, review));
    } catch (error) {
      say(`Not kept: ${error.message}`);
      finish(item, review, null);
    }
    unsent.shift();
  }
  sending = false;
}

async function keep(item, review) {
  try {
    return await api.keep(review);
  } catch (error) {
    if (error.status !== 409) throw error;
    await again(item); // the service was started anew, or has seen many images since
    return api.keep(review);
  }
}

function finish(item, review, kept) {
  for (const same of sameFile(review.sha256)) {
    if (same.saving !== review) continue; // decided anew meanwhile
    const stands = kept && kept.decision !== "withdrawn";
    Object.assign(same, { saving: null, review: stands ? kept : null });
    changed(same);
  }
}

/** Takes the last decision made here back, and says which image it was on. */
export async function undo() {
  const item = state.decided.pop();
  if (!item || !isReviewed(item)) {
    say("There is nothing to undo.");
    return null;
  }
  await decide(item, "withdrawn");
  return item;
}
