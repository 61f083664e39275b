// The alerts, newest first, each with links to its peer and its round.
// @ts-check

import { clock, plural } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Alert} Alert */
/** @typedef {import("./store.js").Store} Store */

const SIGNS = { error: "✕", warning: "!", info: "i" };
const SPOKEN = { error: "Error", warning: "Warning", info: "Note" };

/** @param {{store: Store}} props */
export function Alerts({ store }) {
  const alerts = store.shown?.alerts ?? [];
  const serious = alerts.filter((alert) => alert.severity !== "info").length;
  return html`<div class="card-head">
      <h2 id="alerts-heading">What went wrong</h2>
      <p class="hint">${serious > 0 ? plural(serious, "alert") : ""}</p>
    </div>
    <div class="alert-scroll" tabindex="0" role="region" aria-label="Alerts, newest first">
      ${alerts.length === 0
        ? html`<div class="calm">
            <span class="calm-sign" aria-hidden="true">✓</span>
            <p><strong>Nothing has gone wrong so far.</strong></p>
            <p class="hint">Peers that are lost or late, takeovers, rejected work, splits and merges appear here.</p>
          </div>`
        : html`<ol class="alert-list">
            ${alerts.toReversed().map((alert) => html`<${AlertLine} key=${alert.id} alert=${alert} store=${store} />`)}
          </ol>`}
    </div>`;
}

/** @param {{alert: Alert, store: Store}} props */
export function AlertLine({ alert, store }) {
  const { severity, kind, text, peer, round, unix_s, reporters } = alert;
  return html`<li class=${`alert-line ${severity}`}>
    <span class="sign" aria-hidden="true">${SIGNS[severity]}</span>
    <div>
      <p><span class="spoken">${SPOKEN[severity]}: </span><b>${kind}</b> ${text}</p>
      <p class="links">
        ${round !== null &&
        html`<button class="link-button" onClick=${() => store.replay(round)}>Round ${round}</button>`}
        ${peer !== null &&
        html`<button class="link-button" onClick=${() => store.select(peer)}>${store.nameOf(peer)}</button>`}
        <span class="when">${unix_s === null ? "" : clock(unix_s)}${
          reporters.length > 1 ? ` · reported by ${reporters.length} peers` : ""
        }</span>
      </p>
    </div>
  </li>`;
}

/**
 * The newest event that a screen reader should announce.
 * @param {Store} store
 */
export function spokenNews(store) {
  const event = store.snapshot?.events.findLast(
    (one) => one.severity !== "info" || one.kind === "head" || one.kind === "finished",
  );
  return event?.text ?? "";
}
