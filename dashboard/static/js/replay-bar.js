// The slider over the rounds: it goes back to any round, and to the present again.
// @ts-check

import { clock } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./store.js").Store} Store */

/** @param {{store: Store, loadPast: () => void}} props */
export function ReplayBar({ store, loadPast }) {
  const { snapshot, round } = store;
  const first = snapshot?.history.first_round ?? 0;
  const last = snapshot?.history.last_round ?? 0;
  const none = snapshot === null || snapshot.history.last_round === null || last <= first;
  const shown = round ?? last;
  /** @param {number} to */
  const go = (to) => {
    loadPast();
    store.replay(Math.max(first, Math.min(last, to)));
  };
  return html`<button
      class=${`live-button ${round === null ? "on" : ""}`}
      aria-pressed=${String(round === null)}
      disabled=${none}
      onClick=${() => store.replay(null)}
    >
      <i></i>${round === null ? "Present" : "Back to the present"}
    </button>
    <button class="step" aria-label="Previous round" disabled=${none || shown <= first} onClick=${() => go(shown - 1)}>‹</button>
    <div class="track-wrap">
      <input
        type="range"
        aria-label="Replay round"
        aria-valuetext=${round === null ? "the present" : `round ${round}`}
        min=${first}
        max=${Math.max(last, first + 1)}
        value=${shown}
        disabled=${none}
        onInput=${(/** @type {any} */ event) => go(Number(event.target.value))}
      />
      <${Ticks} store=${store} first=${first} last=${last} />
    </div>
    <button class="step" aria-label="Next round" disabled=${none || round === null || shown >= last} onClick=${() => go(shown + 1)}>›</button>
    <p class="replay-text">${text(store, none)}</p>`;
}

/**
 * Marks on the slider for the rounds with warnings and errors.
 * @param {{store: Store, first: number, last: number}} props
 */
function Ticks({ store, first, last }) {
  if (last <= first) return null;
  /** @type {Map<number, string>} */
  const rounds = new Map();
  for (const { round, severity } of store.snapshot?.alerts ?? []) {
    if (round === null || severity === "info" || round < first || round > last) continue;
    if (rounds.get(round) !== "error") rounds.set(round, severity);
  }
  return html`<svg class="ticks" viewBox="0 0 1000 6" preserveAspectRatio="none" aria-hidden="true">
    ${[...rounds].map(
      ([round, severity]) =>
        html`<rect key=${round} class=${severity} x=${(1000 * (round - first)) / (last - first) - 3} width="6" height="6" />`,
    )}
  </svg>`;
}

/**
 * @param {Store} store
 * @param {boolean} none
 */
function text(store, none) {
  const { round, snapshot } = store;
  if (none) return "No round is over yet";
  if (round === null) {
    const { first_round, complete } = /** @type {any} */ (snapshot).history;
    return complete ? "Drag to replay the run" : `History from round ${first_round}`;
  }
  const record = store.past.get(round);
  if (record === undefined) return `Round ${round}: loading…`;
  return `Round ${round}${record.unix_s === null ? "" : `, made at ${clock(record.unix_s)}`}`;
}
