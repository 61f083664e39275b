// Puts snapshots and updates from the server into the store, and notices when they stop. It sends
// nothing.
// @ts-check

import { io } from "socket.io-client";

import { folder } from "./router.js";

/** @typedef {import("./store.js").Store} Store */

// The observer sends something at least once a second; a busy machine may take longer.
const STALE_AFTER_S = 6;

/** @param {Store} store */
export function connect(store) {
  const socket = io({
    path: `${folder()}socket.io/`,
    transports: ["websocket"],
    reconnectionDelay: 500,
    reconnectionDelayMax: 3000,
  });
  socket.on("snapshot", (snapshot) => {
    store.replace(snapshot);
    store.setConnection("live");
  });
  socket.on("update", (update) => {
    // A page that missed an update connects again to receive a whole snapshot.
    if (store.apply(update)) store.setConnection("live");
    else socket.disconnect().connect();
  });
  socket.on("disconnect", () => store.setConnection("lost"));
  socket.on("connect_error", () => store.setConnection("lost"));
  setInterval(() => {
    const fresh = store.connection === "live" && store.silentS() > STALE_AFTER_S;
    if (fresh && socket.connected) store.setConnection("stale");
  }, 1000);
}
