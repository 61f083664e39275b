// How a long list becomes a newer one; the server's side is dashboard/page/list_diff.py.
// @ts-check

/**
 * Take out, put in, and change fields. Items that stay as they are remain the same objects.
 * @template T
 * @param {T[]} held
 * @param {import("./types.js").ListChange<T>} change
 * @returns {T[] | null} null if the change does not fit the list: it was made for another one
 */
export function changedList(held, { gone, new: added, changed }) {
  const out = new Set(gone);
  if (gone.some((place) => place >= held.length)) return null;
  const list = held.filter((_, place) => !out.has(place));
  for (const [place, item] of added) {
    if (place > list.length) return null;
    list.splice(place, 0, item);
  }
  for (const [place, fields] of changed) {
    if (place >= list.length) return null;
    list[place] = { ...list[place], ...fields };
  }
  return list;
}
