// From files to answers: a few at a time, in the order they were added.

import * as api from "./api.js";
import { say } from "./dom.js";
import { byText, changed, state } from "./state.js";
import { images } from "./words.js";

const SUFFIXES = /\.(jpe?g|png|bmp|tiff?|webp)$/i;
const UNSHOWN = /\.tiff?$/i; // what most browsers cannot show
const TOGETHER = 8; // images in one request: few enough that answers come in steadily
const PARALLEL = 2;

let number = 0;
let working = 0;
const waiting = [];

/** Adds pictures; `folder` of each names its patient where none is typed. */
export function add(files, patient) {
  const pictures = files.filter(({ file }) => SUFFIXES.test(file.name));
  pictures.sort((a, b) => byText(a.folder, b.folder) || byText(a.file.name, b.file.name));
  const left = files.length - pictures.length;
  for (const { file, folder } of pictures) {
    const item = {
      id: (number += 1), file, name: file.name, patient: patient || folder,
      url: URL.createObjectURL(file), answer: null, sha256: null, error: null, review: null, saving: null,
    };
    state.items.push(item);
    if (file.size > state.about.limits.image_bytes) item.error = "The file is too large.";
    else waiting.push(item);
  }
  state.current ??= state.items[0] ?? null;
  say(`${images(pictures.length)} added${left ? `; ${left} other files left out` : ""}.`);
  changed();
  while (working < PARALLEL && waiting.length) work();
}

async function work() {
  working += 1;
  while (waiting.length) await answer(batch());
  working -= 1;
}

function batch() {
  const most = Math.min(TOGETHER, state.about.limits.images);
  const items = [];
  let bytes = 0;
  while (waiting.length && items.length < most) {
    bytes += waiting[0].file.size + 1000;
    if (items.length && bytes > state.about.limits.request_bytes) break;
    items.push(waiting.shift());
  }
  return items;
}

async function answer(items) {
  try {
    const rows = await api.predict(items.map((item) => item.file));
    const hashes = rows.filter((row) => row.answer).map((row) => row.sha256);
    const reviews = hashes.length ? await api.decisions(hashes) : new Map();
    for (const [k, item] of items.entries()) {
      const { answer, sha256, error } = rows[k];
      const review = reviews.get(sha256) ?? null;
      if (answer && UNSHOWN.test(item.name)) item.url = await api.seen(sha256);
      Object.assign(item, { answer, sha256, error, review, patient: review?.patient || item.patient });
    }
  } catch (error) {
    // One request may hold one file that spoils it: ask for each alone before giving up.
    if (items.length > 1) for (const item of items) await answer([item]);
    else items[0].error = error.message;
  }
  items.forEach(changed);
}

/** Sends an image once more, so that the service knows it again. */
export async function again(item) {
  await api.predict([item.file]);
}

/** The files of what was dropped, with the folder each lies in. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((one) => one.webkitGetAsEntry()).filter(Boolean);
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    found.push({ file: await new Promise((done, fail) => entry.file(done, fail)), folder });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!part.length) return;
    for (const inner of part) await walk(inner, entry.name, found);
  }
}

/** The files of an input, with the folder each lies in. */
export const chosen = (input) =>
  [...input.files].map((file) => ({ file, folder: file.webkitRelativePath.split("/").at(-2) ?? "" }));
