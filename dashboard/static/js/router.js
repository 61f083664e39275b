// Addresses: the path names the tab, the query names the selected peer and the replayed round. So
// the address of a view can be sent to other people.
// @ts-check

/** @typedef {import("./store.js").Store} Store */

export const TABS = /** @type {const} */ ([
  { id: "training", title: "Training" },
  { id: "search", title: "Search" },
  { id: "ensemble", title: "Ensemble" },
  { id: "sessions", title: "Sessions" },
  { id: "log", title: "Log" },
]);

/** The path under which the page is served: `/`, or the path of a proxy in front, as in `/swarm/`. */
export function folder() {
  return location.pathname.slice(0, location.pathname.lastIndexOf("/") + 1);
}

export class Router extends EventTarget {
  /** @param {Store} store */
  constructor(store) {
    super();
    this.store = store;
    this.#read();
    addEventListener("popstate", () => {
      this.#read();
      this.dispatchEvent(new Event("change"));
    });
    store.addEventListener("change", (event) => {
      const parts = /** @type {CustomEvent<Set<string>>} */ (event).detail;
      if (parts.has("selected") || parts.has("replay")) this.#write();
    });
  }

  /** @returns {string} */
  get tab() {
    const path = location.pathname.slice(folder().length);
    return TABS.some((tab) => tab.id === path) ? path : "training";
  }

  /**
   * The address of a tab, with the peer and the round that are shown now.
   * @param {string} tab
   */
  address(tab) {
    const query = this.#query();
    return `${folder()}${tab}${query ? `?${query}` : ""}`;
  }

  /**
   * Follow a link inside the page, unless the user wants to open it in another tab or window.
   * @param {MouseEvent} event
   * @param {string} tab
   */
  follow(event, tab) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.open(tab);
  }

  /** @param {string} tab */
  open(tab) {
    if (tab === this.tab) return;
    history.pushState(null, "", this.address(tab));
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    const query = new URLSearchParams(location.search);
    this.store.select(query.get("peer") ?? "");
    const round = query.get("round");
    this.store.replay(round !== null && /^\d{1,9}$/.test(round) ? Number(round) : null);
  }

  #write() {
    const address = this.address(location.pathname.slice(folder().length));
    if (address !== location.pathname + location.search) history.replaceState(null, "", address);
  }

  #query() {
    const query = new URLSearchParams();
    if (this.store.selected) query.set("peer", this.store.selected);
    if (this.store.round !== null) query.set("round", String(this.store.round));
    return query.toString();
  }
}
