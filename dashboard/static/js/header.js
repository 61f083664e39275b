// The title bar, the tabs, and the banners.
// @ts-check

import { duration, plural } from "./format.js";
import { html } from "./html.js";
import { TABS } from "./router.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./theme.js").Theme} Theme */
/** @typedef {import("./router.js").Router} Router */

const CONNECTION_WORDS = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale",
  lost: "Not connected",
};

/** @param {{store: Store, theme: Theme, openOperator: () => void}} props */
export function Title({ store, theme, openOperator }) {
  const session = store.snapshot?.session;
  const others = otherWork(store);
  return html`<a class="brand" href="training"><img src="static/mark.svg" alt="" width="26" height="26" />Swarm</a>
    ${session
      ? html`<dl class="facts">
          <${Fact} name="Model" value=${session.model} />
          <${Fact} name="Data" value=${session.dataset_label} loud=${session.stand_in} />
          <${Fact} name="Cluster size" value=${session.cluster_size} />
          <${Fact} name="Session" value=${session.id.slice(0, 8)} />
        </dl>`
      : html`<p class="facts hint">${others.length > 0 ? html`No training session; ${others}` : "No session yet"}</p>`}
    <div class="tools">
      <span class=${`live ${store.connection}`}>${CONNECTION_WORDS[store.connection]}</span>
      <button class="tool" onClick=${openOperator}>Operator</button>
      <button class="tool" onClick=${() => theme.next()}>Theme: ${theme.choice}</button>
    </div>`;
}

/**
 * Links to what a swarm does beside, or instead of, a training session.
 * @param {Store} store
 */
function otherWork({ snapshot }) {
  const studies = snapshot?.studies.length ?? 0;
  const ensembles = snapshot?.ensembles.length ?? 0;
  const links = [];
  if (studies > 0) links.push(html`<a href="search">${studyCount(studies)}</a>`);
  if (ensembles > 0) links.push(html`${links.length > 0 && ", "}<a href="ensemble">${plural(ensembles, "ensemble")}</a>`);
  return links;
}

/** @param {number} count */
function studyCount(count) {
  return plural(count, "study", "studies");
}

/** @param {any} props */
function Fact({ name, value, loud }) {
  return html`<div class=${loud ? "loud" : ""}><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** @param {{store: Store, router: Router}} props */
export function Tabs({ store, router }) {
  const { snapshot } = store;
  const counts = {
    search: snapshot?.studies.length ?? 0,
    ensemble: snapshot?.ensembles.length ?? 0,
    log: snapshot?.alerts.filter((alert) => alert.severity !== "info").length ?? 0,
  };
  return html`<ul>
    ${TABS.map(({ id, title }) => {
      const count = counts[/** @type {keyof typeof counts} */ (id)] ?? 0;
      const what = id === "log" ? plural(count, "alert") : id === "search" ? studyCount(count) : plural(count, id);
      return html`<li key=${id}>
        <a
          href=${router.address(id)}
          aria-current=${router.tab === id ? "page" : undefined}
          onClick=${(/** @type {MouseEvent} */ event) => router.follow(event, id)}
          >${title}${count > 0 &&
          html`<span class=${`count ${id}`}><span aria-hidden="true">${count}</span><span class="spoken">${what}</span></span>`}</a
        >
      </li>`;
    })}
  </ul>`;
}

/** @param {{store: Store}} props */
export function Notices({ store }) {
  const { snapshot, connection } = store;
  const session = snapshot?.session;
  return html`${session?.stand_in &&
    html`<p class="banner warn">
      <strong>All numbers are for ${session.dataset}, a generated stand-in, not CIFAR-10.</strong>
    </p>`}
    ${connection === "lost" &&
    html`<p class="banner bad" role="alert">
      <strong>The connection to the dashboard is lost.</strong> ${snapshot
        ? `The page shows the state of ${duration(store.silentS())} ago.`
        : "It may have stopped, or it already serves its highest number of browsers."} Trying again…
    </p>`}
    ${connection === "stale" &&
    html`<p class="banner bad" role="alert">
      <strong>Nothing has arrived for ${duration(store.silentS())}.</strong> The dashboard answers, but
      its observer sends nothing. The page shows the last known state.
    </p>`}
    ${connection === "live" &&
    session &&
    snapshot.observer.connected === 0 &&
    !snapshot.finished &&
    html`<p class="banner bad" role="alert">
      <strong>The dashboard cannot reach the swarm.</strong> No peer is connected to it. The page
      shows the last known state, and the dashboard keeps trying to connect.
    </p>`}`;
}
