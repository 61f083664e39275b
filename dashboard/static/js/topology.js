// The topology: peers in their clusters, who aggregates, links, and what moves along them.
// @ts-check

import cytoscape from "cytoscape";

import { plural } from "./format.js";
import { drawLabels } from "./labels.js";
import { arrange, peerSize } from "./layout.js";
import { Motion, bowedPath } from "./motion.js";
import { isGone } from "./peer.js";
import { stylesheet } from "./topology-style.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./theme.js").Theme} Theme */
/** @typedef {{id: string, source?: string, target?: string, [key: string]: unknown}} Data */
/** @typedef {{data: Data, classes: string, position?: {x: number, y: number}}} Wanted */

// Above this, links would be a grey carpet (and slow): only the selected peer's are drawn.
const LINKS_MAX = 320;
// Moving more peers than this smoothly costs more than it shows.
const GLIDING_PEERS_MAX = 40;
const GLIDE_MS = 350;
const ROOMY_CELL_PX = 64;
const FLOW_SEEN_S = 3;

export class Topology {
  #cy;
  #motion;
  #arrangement = arrange([], [], 1, 1);
  #arrangedFor = "";
  /** Signature of what is drawn, by element id. @type {Map<string, string>} */
  #drawn = new Map();

  /**
   * @param {{graph: HTMLElement, labels: HTMLElement, motion: HTMLCanvasElement}} places
   * @param {Store} store
   * @param {Theme} theme
   */
  constructor({ graph: container, labels, motion }, store, theme) {
    this.container = container;
    this.labels = labels;
    this.store = store;
    this.theme = theme;
    this.#cy = cytoscape({
      container,
      style: stylesheet(theme),
      layout: { name: "preset" },
      userZoomingEnabled: false,
      userPanningEnabled: false,
      boxSelectionEnabled: false,
      autoungrabify: true,
      autounselectify: true,
    });
    this.#motion = new Motion(motion, theme, (id) => this.#placeOf(id));
    this.#cy.on("tap", "node.peer", (event) => store.select(event.target.id()));
    this.#cy.on("tap", (event) => {
      if (event.target === this.#cy && store.selected) store.select(store.selected);
    });
    theme.addEventListener("change", () => this.#cy.style(stylesheet(theme)));
    new ResizeObserver(() => this.render()).observe(container);
  }

  /**
   * Call back with the peer under the pointer, or null.
   * @param {(peer: Peer | null, place: {x: number, y: number}) => void} callback
   */
  onHover(callback) {
    this.#cy.on("mouseover", "node.peer", (event) => {
      const peer = this.store.snapshot?.peers.find((p) => p.id === event.target.id());
      callback(peer ?? null, event.target.renderedPosition());
    });
    this.#cy.on("mouseout", "node.peer", () => callback(null, { x: 0, y: 0 }));
  }

  /** What is drawn, for a test that wants to know where a peer stands. */
  describe() {
    return {
      peers: this.#cy.nodes(".peer").map((node) => ({ ...node.data(), ...node.position() })),
      boxes: this.#cy.nodes(".box").map((node) => ({ ...node.data(), ...node.position() })),
      links: this.#cy.edges(".link").length,
      flows: this.#cy.edges(".flow").map((edge) => edge.data()),
    };
  }

  render() {
    const { snapshot } = this.store;
    if (snapshot === null || this.container.clientWidth === 0) return;
    this.container.parentElement?.classList.toggle("many", snapshot.peers.length > 24);
    const moved = this.#arrange(snapshot);
    this.#draw(this.#wanted(snapshot), moved);
    drawLabels(this.labels, this.#arrangement, snapshot, this.roomy);
    this.#motion.show(snapshot.flows, this.store.receivedMs, this.roomy ? 5 : 3.5);
  }

  /** Whether there is room for names and words beside every peer. */
  get roomy() {
    return this.#arrangement.cell >= ROOMY_CELL_PX;
  }

  /** @param {Snapshot} snapshot */
  #arrange(snapshot) {
    const { clientWidth, clientHeight } = this.container;
    const roots = snapshot.peers.filter((p) => p.role === "root").map((p) => p.id);
    const signature = JSON.stringify([
      clientWidth,
      clientHeight,
      snapshot.peers.map((peer) => peer.id),
      snapshot.clusters,
      roots,
    ]);
    if (signature === this.#arrangedFor) return false;
    this.#arrangedFor = signature;
    this.#arrangement = arrange(snapshot.peers, snapshot.clusters, clientWidth, clientHeight);
    this.#cy.resize();
    this.#cy.viewport({ zoom: 1, pan: { x: 0, y: 0 } });
    return true;
  }

  /** @param {Snapshot} snapshot */
  #wanted(snapshot) {
    const peers = new Map(snapshot.peers.map((peer) => [peer.id, peer]));
    return [
      ...this.#boxes(),
      ...snapshot.peers.map((peer) => this.#peer(peer)),
      ...this.#links(snapshot, peers),
      ...this.#tree(snapshot, peers),
      ...this.#flows(snapshot, peers),
    ];
  }

  /** @returns {Wanted[]} */
  #boxes() {
    return this.#arrangement.boxes.map(({ id, tier, width, height, x, y }) => ({
      data: { id: `box:${id}`, width, height },
      classes: `box tier-${Math.min(tier, 2)}`,
      position: { x, y },
    }));
  }

  /**
   * @param {Peer} peer
   * @returns {Wanted}
   */
  #peer(peer) {
    const works = peer.phase === "training" || peer.phase === "evaluating";
    return {
      data: {
        id: peer.id,
        size: peerSize(peer, this.#arrangement.cell),
        progress: works && !isGone(peer) ? stepped(100 * peer.progress, this.roomy ? 2 : 10) : 0,
      },
      classes: [
        "peer",
        isGone(peer) ? "gone" : `phase-${peer.phase}`,
        `role-${peer.role}`,
        `state-${peer.state}`,
        this.roomy ? "" : "dense",
        this.store.selected === peer.id ? "chosen" : "",
      ].join(" "),
      position: this.#placeOf(peer.id),
    };
  }

  /**
   * @param {Snapshot} snapshot
   * @param {Map<string, Peer>} peers
   * @returns {Wanted[]}
   */
  #links(snapshot, peers) {
    const { selected } = this.store;
    const known = snapshot.links.filter((l) => peers.has(l.source) && peers.has(l.target));
    const touching = known.filter((l) => l.source === selected || l.target === selected);
    const shown = known.length > LINKS_MAX ? touching : known;
    return shown.map((link) => ({
      data: { id: `link:${link.source}:${link.target}`, ...link },
      classes: touching.includes(link) ? "link chosen" : "link",
    }));
  }

  /**
   * Who reports to whom: members to their aggregator, aggregators to the next tier's.
   * @param {Snapshot} snapshot
   * @param {Map<string, Peer>} peers
   * @returns {Wanted[]}
   */
  #tree(snapshot, peers) {
    const byId = new Map(snapshot.clusters.map((cluster) => [cluster.id, cluster]));
    return snapshot.clusters.flatMap((cluster) =>
      cluster.members.flatMap((member) => {
        const source = cluster.tier === 1 ? member : byId.get(member)?.aggregator;
        const target = cluster.aggregator;
        if (!source || source === target || !peers.has(source) || !peers.has(target)) return [];
        return [
          {
            data: { id: `tree:${cluster.id}:${source}`, source, target },
            classes: cluster.tier === 1 ? "tree" : "tree high",
          },
        ];
      }),
    );
  }

  /**
   * @param {Snapshot} snapshot
   * @param {Map<string, Peer>} peers
   * @returns {Wanted[]}
   */
  #flows(snapshot, peers) {
    /** @type {Map<string, Wanted>} */
    const edges = new Map();
    for (const { source, target, kind, age_s } of snapshot.flows) {
      if (!peers.has(source) || !peers.has(target) || age_s > FLOW_SEEN_S) continue;
      const id = `flow:${kind}:${source}:${target}`;
      const fade = Math.round((1 - age_s / FLOW_SEEN_S) * 4) / 4;
      const bow = bowedPath(this.#placeOf(source), this.#placeOf(target)).bow;
      const data = { id, source, target, kind, opacity: 0.3 + 0.7 * fade, bow };
      edges.set(id, { data, classes: `flow ${kind} ${this.roomy ? "" : "dense"}` });
    }
    return [...edges.values()];
  }

  /** @param {string} id */
  #placeOf(id) {
    return this.#arrangement.places.get(id) ?? { x: -100, y: -100 };
  }

  /**
   * Make the graph show what is wanted, touching only what differs.
   * @param {Wanted[]} wanted
   * @param {boolean} moved
   */
  #draw(wanted, moved) {
    const glides = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const glide = moved && glides && this.#arrangement.places.size <= GLIDING_PEERS_MAX;
    const stays = new Set(wanted.map((element) => element.data.id));
    this.#cy.batch(() => {
      for (const id of this.#drawn.keys()) {
        if (stays.has(id)) continue;
        this.#cy.getElementById(id).remove();
        this.#drawn.delete(id);
      }
      for (const element of wanted) this.#drawOne(element, moved, glide);
    });
  }

  /**
   * @param {Wanted} element
   * @param {boolean} moved
   * @param {boolean} glide
   */
  #drawOne(element, moved, glide) {
    const { data, classes, position } = element;
    const signature = classes + JSON.stringify(data);
    const before = this.#drawn.get(data.id);
    if (before === undefined) {
      this.#cy.add({ group: data.source ? "edges" : "nodes", data, classes, position });
    } else {
      const drawn = this.#cy.getElementById(data.id);
      if (before !== signature) drawn.data(data).classes(classes);
      if (moved && position) {
        if (glide) drawn.stop().animate({ position }, { duration: GLIDE_MS });
        else drawn.stop().position(position);
      }
    }
    this.#drawn.set(data.id, signature);
  }
}

/**
 * Progress in steps: finer ones than can be seen would only cost redraws.
 * @param {number} percent
 * @param {number} step
 */
function stepped(percent, step) {
  return Math.round(percent / step) * step;
}

/**
 * One line that says what the picture shows.
 * @param {Snapshot} snapshot
 */
export function topologySummary(snapshot) {
  const clusters = snapshot.clusters.filter((cluster) => cluster.tier === 1).length;
  const tiers = Math.max(0, ...snapshot.clusters.map((cluster) => cluster.tier));
  const parts = [plural(snapshot.peers.length, "peer")];
  if (clusters > 0) parts.push(plural(clusters, "cluster"), plural(tiers, "tier"));
  const root = snapshot.peers.find((peer) => peer.role === "root");
  if (root) parts.push(`root ${root.name}`);
  const gone = snapshot.peers.filter(isGone).length;
  if (gone > 0) parts.push(`${gone} lost`);
  if (snapshot.links.length > LINKS_MAX) {
    parts.push(`${snapshot.links.length} links: choose a peer to see its own`);
  } else if (snapshot.links.length > 0) parts.push(plural(snapshot.links.length, "link"));
  return parts.join(" · ");
}
