// Requests to the dashboard's server, and the loading of past rounds.
// @ts-check

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./types.js").RoundRecord} RoundRecord */

const PAGE_ROUNDS = 50;
// The metrics of a round come with the next head, so the newest rounds are requested again.
const UNSETTLED_ROUNDS = 2;

/**
 * @param {string} path relative to the page, which a proxy may serve under a path of its own
 * @param {RequestInit} [options]
 * @returns {Promise<any>} the answer of the server
 */
export async function request(path, options = {}) {
  const answer = await fetch(path, {
    ...options,
    headers: { accept: "application/json", ...options.headers },
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json");
  const body = isJson && text !== "" ? JSON.parse(text) : text;
  if (!answer.ok) {
    const why = isJson ? (body.message ?? body.error ?? body.detail) : body;
    throw new Error(String(why || `the dashboard answered ${answer.status}`).trim());
  }
  return body;
}

/** Loads the past rounds that the store lacks, with one request at a time. */
export class Past {
  /** @type {Promise<void> | null} */
  #loading = null;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /** Load every round that the swarm remembers into the store. */
  load() {
    if (this.#loading !== null || !this.#lacks()) return;
    this.#loading = this.#fetch()
      .catch((error) => console.info("the past rounds could not be loaded:", error.message))
      .finally(() => {
        this.#loading = null;
      });
  }

  #lacks() {
    const last = this.store.snapshot?.history.last_round;
    if (last == null) return false;
    for (let round = this.store.snapshot?.history.first_round ?? 0; round <= last; round++) {
      const held = this.store.past.get(round);
      if (held === undefined || (held.metrics.length === 0 && round < last)) return true;
    }
    return false;
  }

  async #fetch() {
    const session = this.store.snapshot?.session?.id;
    const held = [...this.store.past.keys()];
    /** @type {number | null} */
    let first = Math.max(0, Math.max(-1, ...held) + 1 - UNSETTLED_ROUNDS);
    while (first !== null) {
      const page = await request(`api/v1/rounds?first=${first}&count=${PAGE_ROUNDS}`);
      if (this.store.snapshot?.session?.id !== session) return;
      this.store.remember(page.rounds);
      first = page.next;
    }
  }
}
