// What happened, newest first.
// @ts-check

import { duration, plural } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./store.js").Store} Store */

const SPOKEN = new Set(["head", "lost", "takeover", "rejected", "finished"]);

/** @param {{store: Store}} props */
export function Log({ store }) {
  const events = store.snapshot?.events ?? [];
  return html`<div class="card-head">
      <h2 id="log-heading">Events</h2>
      <p class="hint">${plural(events.length, "event")}, newest first</p>
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="Events, newest first">
      ${events.length === 0
        ? html`<p class="nothing">Nothing has happened yet. Joins, new models and losses appear here.</p>`
        : html`<ol>
            ${events
              .toReversed()
              .map(
                (event) =>
                  html`<li key=${event.seq}>
                    <time>${duration(event.elapsed_s)}</time>
                    <span class=${`kind ${event.kind}`}>${event.kind}</span>
                    <span class="text">${event.text}</span>
                  </li>`,
              )}
          </ol>`}
    </div>`;
}

/**
 * The newest event that a screen reader should say.
 * @param {Store} store
 */
export function spokenEvent(store) {
  return store.snapshot?.events.findLast((event) => SPOKEN.has(event.kind))?.text ?? "";
}
