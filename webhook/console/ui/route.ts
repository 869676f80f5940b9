import { useEffect, useState } from "preact/hooks";

/** Where the page is: `#/live?partner=acme` is ["live"] with its query. */
export interface Place { path: string[]; query: URLSearchParams }

export function place(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter((p) => p !== "").map(decodeURIComponent), query: new URLSearchParams(query) };
}

export function href(path: string[], query: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  return "#/" + path.map(encodeURIComponent).join("/") + (search.size > 0 ? "?" + search.toString() : "");
}

export function go(path: string[], query: Record<string, string | undefined> = {}) {
  location.hash = href(path, query);
}

/** setQuery changes the query of where the page is, without a new entry of the history. */
export function setQuery(change: Record<string, string | undefined>) {
  const now = place();
  for (const [name, value] of Object.entries(change)) {
    if (value) now.query.set(name, value);
    else now.query.delete(name);
  }
  history.replaceState(null, "", href(now.path, Object.fromEntries(now.query)));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function usePlace(): Place {
  const [now, set] = useState(place);
  useEffect(() => {
    const changed = () => set(place());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return now;
}
