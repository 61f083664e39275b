// Assembles the page: one store, one connection, and the views that render from the store.
// @ts-check

import { activity } from "./activity.js";
import { Alerts, spokenNews } from "./alerts.js";
import { Past } from "./api.js";
import { Curves } from "./curves.js";
import { Sessions } from "./empty-tab.js";
import { Ensemble } from "./ensemble.js";
import { percent } from "./format.js";
import { Figures, trained } from "./figures.js";
import { html, render } from "./html.js";
import { Legend } from "./legend.js";
import { Log } from "./log.js";
import { OperatorSheet } from "./operator.js";
import { PeerPanel } from "./peer-panel.js";
import { Peers } from "./peers.js";
import { ReplayBar } from "./replay-bar.js";
import { Router } from "./router.js";
import { Schedule } from "./schedule.js";
import { Search } from "./search.js";
import { connect } from "./socket.js";
import { Store } from "./store.js";
import { Theme } from "./theme.js";
import { Notices, Tabs, Title } from "./header.js";
import { movingText, topologySummary } from "./topology-words.js";
import { Topology } from "./topology.js";

const store = new Store();
const router = new Router(store);
const theme = new Theme();
const past = new Past(store);
const loadPast = () => past.load();

/** @param {string} id */
function place(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

const topology = new Topology(
  { graph: place("graph"), motion: /** @type {HTMLCanvasElement} */ (place("motion")) },
  store,
  theme,
);
const curves = new Curves(
  {
    accuracy: place("accuracy-plot"),
    loss: place("loss-plot"),
    head: place("curves-head"),
    legend: place("curves-legend"),
    empty: place("curves-empty"),
  },
  store,
  theme,
  loadPast,
);
const operator = new OperatorSheet(
  /** @type {HTMLDialogElement} */ (place("operator")),
  store,
  () => schedule.mark(["selected"]),
);
const panel = new PeerPanel(place("peer-panel"), store, loadPast, operator);
const onTraining = () => router.tab === "training";

// Each view with the parts of the store that it shows, and its least pause in a large swarm.
const schedule = new Schedule(store, [
  { show: showTitle, parts: ["session", "connection", "theme", "observer", "studies", "ensembles", "second"], pauseMs: 0 },
  { show: showTabs, parts: ["tab", "alerts", "studies", "ensembles", "selected", "replay"], pauseMs: 0 },
  {
    show: showFigures,
    parts: ["session", "round", "phase", "finished", "head", "global", "peers", "observers",
      "operator", "curves", "studies", "table", "tab", "replay", "second"],
    pauseMs: 250,
    when: onTraining,
  },
  { show: showReplay, parts: ["history", "alerts", "replay", "past", "tab"], pauseMs: 250, when: onTraining },
  {
    show: showTopology,
    parts: ["peers", "clusters", "links", "flows", "studies", "selected", "table", "tab", "replay", "past"],
    pauseMs: 250,
    when: onTraining,
  },
  { show: showAlerts, parts: ["alerts", "tab", "replay", "past"], pauseMs: 0, when: onTraining },
  { show: () => curves.render(), parts: ["curves", "selected", "tab", "replay", "past"], pauseMs: 500, when: onTraining },
  { show: showPeers, parts: ["peers", "selected", "table", "tab", "replay", "past"], pauseMs: 500, when: onTraining },
  {
    show: () => panel.render(),
    parts: ["peers", "selected", "curves", "alerts", "events", "operator", "past", "replay"],
    pauseMs: 500,
  },
  { show: () => operator.render(), parts: ["operator"], pauseMs: 0 },
  { show: showOther, parts: ["tab", "events", "alerts", "studies", "ensembles", "replay"], pauseMs: 250, when: () => !onTraining() },
  { show: () => (place("spoken").textContent = spokenNews(store)), parts: ["events"], pauseMs: 0 },
]);

function showTitle() {
  render(
    html`<${Title} store=${store} theme=${theme} openOperator=${() => operator.open()} />`,
    place("title"),
  );
  render(html`<${Notices} store=${store} />`, place("notices"));
}

function showTabs() {
  render(html`<${Tabs} store=${store} router=${router} />`, place("tabs"));
  place("view-training").hidden = !onTraining();
  place("view-other").hidden = onTraining();
}

function showFigures() {
  render(html`<${Figures} store=${store} />`, place("figures"));
  const { snapshot } = store;
  const session = snapshot?.session;
  document.title = session
    ? `${percent(trained(snapshot)?.accuracy)} · round ${snapshot?.round} of ${session.rounds} · Swarm`
    : "Swarm";
}

function showReplay() {
  if (store.replaying) loadPast();
  render(html`<${ReplayBar} store=${store} loadPast=${loadPast} />`, place("replay"));
  place("view-training").classList.toggle("replaying", store.replaying);
}

function showTopology() {
  const { shown } = store;
  const many = (shown?.peers.length ?? 0) > 24;
  place("view-training").classList.toggle("many", many);
  topology.render();
  const empty = place("topology-empty");
  empty.hidden = (shown?.peers.length ?? 0) > 0;
  empty.textContent = `${activity(shown)}. Peers appear here as they join.`;
  place("topology-summary").textContent = shown ? topologySummary(shown) : "";
  const moving = shown ? movingText(shown, store) : [];
  render(
    html`<b>${store.replaying ? "Moved" : "Moving now"}</b> ${moving.length === 0
      ? html`<span class="hint">${store.replaying ? "nothing is known" : "nothing"}</span>`
      : moving.map(({ key, kind, text }) => html`<span key=${key} class=${`move ${kind}`}><i class=${`arrow ${kind}`}></i>${text}</span>`)}`,
    place("moving"),
  );
  showLayers();
}

function showLayers() {
  /** @param {"links" | "tree"} layer */
  const toggle = (layer) => () => {
    topology.layers[layer] = !topology.layers[layer];
    showTopology();
  };
  const { links, tree } = topology.layers;
  const wide = place("view-training").classList.contains("wide");
  const widen = () => {
    place("view-training").classList.toggle("wide");
    showLayers();
  };
  render(
    html`<button class="tool" aria-pressed=${String(links)} onClick=${toggle("links")}>Connections</button>
      <button class="tool" aria-pressed=${String(tree)} onClick=${toggle("tree")}>Tree</button>
      <button class="tool widen" aria-pressed=${String(wide)} onClick=${widen}>Wide</button>`,
    place("topology-tools"),
  );
}

function showAlerts() {
  render(html`<${Alerts} store=${store} />`, place("alerts"));
}

function showPeers() {
  render(html`<${Peers} store=${store} />`, place("peers"));
}

function showOther() {
  const views = { search: Search, ensemble: Ensemble, sessions: Sessions, log: Log };
  const View = views[/** @type {keyof typeof views} */ (router.tab)];
  render(html`<${View} key=${router.tab} store=${store} />`, place("view-other"));
}

const tip = place("tip");
store.addEventListener("change", (event) => {
  if (/** @type {CustomEvent} */ (event).detail.has("selected")) tip.hidden = true;
});
topology.onHover((peer, { x, y }) => {
  tip.hidden = peer === null || peer.id === store.selected;
  if (peer === null) return;
  const accuracy = `test ${percent(peer.accuracy)}, training ${percent(peer.train_accuracy)}`;
  const site = peer.site ? ` · ${peer.site}` : "";
  tip.textContent = `${peer.name}${site} · ${peer.role} · ${peer.state} · ${peer.phase}\n${accuracy}`;
  const right = x > place("graph").clientWidth / 2;
  tip.style.left = right ? "" : `${x + 18}px`;
  tip.style.right = right ? `${place("graph").clientWidth - x + 18}px` : "";
  tip.style.top = `${Math.max(0, y - 12)}px`;
});

place("plain").remove();
try {
  sessionStorage.removeItem("swarm-retries"); // of retry-early.js: the page is complete
} catch {
  // Storage may be forbidden; then no retries were counted.
}
render(html`<${Legend} />`, place("legend"));
render(
  html`<a href="api/v1/snapshot">All numbers as JSON</a><span>Commands need the operator's token.</span>`,
  place("foot"),
);
theme.addEventListener("change", () => schedule.mark(["theme"]));
router.addEventListener("change", () => {
  schedule.mark(["tab"]);
  scrollTo(0, 0);
});
setInterval(() => schedule.mark(["second"]), 1000);
schedule.markAll();
connect(store);
void operator.refresh();

// For the console, and for tests that check where a peer is drawn.
Object.assign(globalThis, { swarm: { store, topology, curves } });
