// The service, as functions. A request that has to wait its turn waits and tries again.

import { ask, byId, say } from "./dom.js";

const KEY = "leukoscope-key";

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

let signing = null;

/** Asks for the key, once however many requests found it missing. */
function signIn() {
  signing ??= (async () => {
    while (!(await ask(byId("sign-in")))) say("The service cannot be used without a key.");
    sessionStorage.setItem(KEY, byId("key").value.trim());
    byId("key").value = "";
    signing = null;
  })();
  return signing;
}

/** The response, when it is a good one; other ones, but for those that say when, are `Refused`. */
async function request(path, options = {}, { patient = true } = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      if (!patient) throw new Refused(0, "The service does not answer.");
      say("The service does not answer; trying again.");
      await wait(3);
      continue;
    }
    if (response.ok) return response;
    const { detail } = await response.json().catch(() => ({ detail: response.statusText }));
    if (response.status === 401) {
      say(key ? detail : "");
      await signIn();
    } else if (patient && (response.status === 429 || response.status === 503)) {
      if (response.status === 503) say(detail);
      await wait(Number(response.headers.get("Retry-After")) || 1);
    } else {
      throw new Refused(response.status, detail);
    }
  }
}

export const about = async () => (await request("api/about")).json();

/** The rows of an answer, one for each file. */
export async function predict(files) {
  const form = new FormData();
  for (const file of files) form.append("images", file, file.name);
  return (await (await request("api/predict", { method: "POST", body: form })).json()).images;
}

async function picture(path) {
  return URL.createObjectURL(await (await request(path)).blob());
}

export const heat = (sha256, target) =>
  picture(`api/explain?${new URLSearchParams({ sha256, target })}`);

export const seen = (sha256) => picture(`api/image?${new URLSearchParams({ sha256 })}`);

/** The decisions on these images, by their hash. */
export async function decisions(hashes) {
  const query = new URLSearchParams(hashes.map((sha256) => ["sha256", sha256]));
  const { reviews } = await (await request(`api/reviews?${query}`)).json();
  return new Map(reviews.map((review) => [review.sha256, review]));
}

export const history = async (sha256) => (await request(`api/reviews/${sha256}`)).json();

export const listed = async (query) =>
  (await request(`api/reviews?${new URLSearchParams(query)}`)).json();

export const table = async (query) =>
  (await request(`api/reviews.csv?${new URLSearchParams(query)}`)).blob();

/** The review as it was kept. */
export async function keep(review) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(review),
  };
  return (await request("api/reviews", options)).json();
}
