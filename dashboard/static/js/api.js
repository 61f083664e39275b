// Requests to the dashboard's server, and the rounds of the past that were asked for.
// @ts-check

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./types.js").RoundRecord} RoundRecord */

const PAGE_ROUNDS = 50;
// A round's metrics come with the next head: the newest ones are asked for again.
const UNSETTLED_ROUNDS = 2;

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>} what the server answered
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

/** Fetches what the store lacks of the past; asked as often as one likes, it asks once. */
export class Past {
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
  }

  /** Have every round of the run in the store, as far as the swarm remembers it. */
  wanted() {
    if (this.#asking !== null || !this.#lacks()) return;
    this.#asking = this.#ask()
      .catch((error) => console.info("the past is not available now:", error.message))
      .finally(() => {
        this.#asking = null;
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

  async #ask() {
    const session = this.store.snapshot?.session?.id;
    const held = [...this.store.past.keys()];
    /** @type {number | null} */
    let first = Math.max(0, Math.max(-1, ...held) + 1 - UNSETTLED_ROUNDS);
    while (first !== null) {
      const page = await request(`/api/v1/rounds?first=${first}&count=${PAGE_ROUNDS}`);
      if (this.store.snapshot?.session?.id !== session) return;
      this.store.remember(page.rounds);
      first = page.next;
    }
  }
}
