import "./style.css";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Overview } from "./api";
import { call, Problem, signIn, whenRefused } from "./client";
import { Access, asProblem, Empty, Page, Text, useAct } from "./parts";
import { href, usePlace } from "./route";
import { Auditing } from "./audit";
import { DeadHints } from "./dead";
import { Doctor } from "./doctor";
import { Explain } from "./explain";
import { KeysPage } from "./keys";
import { Live } from "./live";
import { NewShare } from "./newshare";
import { OwnerPage, Owners } from "./owners";
import { OverviewPage } from "./overview";
import { PartnerPage, Partners } from "./partners";
import { SharePage, Sheets } from "./shares";

// The token of a link like #token=… is taken out of the address bar at once.
const given = /[#&]token=([A-Za-z0-9_-]+)/.exec(location.hash)?.[1] ?? "";
if (given !== "") history.replaceState(null, "", location.pathname + "#/");

const groups: [string, [string, string][]][] = [
  ["", [["Overview", "overview"], ["Live", "live"]]],
  ["Sharing", [["Sheets", "sheets"], ["Partners", "partners"], ["Owners", "owners"]]],
  ["On call", [["Explain", "explain"], ["Doctor", "doctor"], ["Dead hints", "dead"]]],
  ["Records", [["Audit", "audit"], ["Keys", "keys"]]],
];

function App() {
  const [overview, setOverview] = useState<Overview>();
  const out = () => { signIn(""); setOverview(undefined); };
  useEffect(() => whenRefused(out), []);
  if (!overview) return <SignIn done={setOverview} />;
  return <Access.Provider value={overview.access}><Shell first={overview} out={out} /></Access.Provider>;
}

function SignIn({ done }: { done: (o: Overview) => void }) {
  const [token, setToken] = useState(given);
  const { busy, problem, act } = useAct();
  const enter = (t: string) => act(async () => {
    signIn(t.trim());
    try {
      return await call("getOverview");
    } catch (e) {
      const p = asProblem(e);
      throw p.status === 401 ? new Problem(401, "The bridge does not know this token. It is one of those in SHEETBRIDGE_ADMIN_TOKEN, without its name.") : p;
    }
  }, done);
  useEffect(() => { document.title = "Sheetbridge"; if (given) enter(given); }, []);
  return <main class="signin"><Logo /><h1>Sheetbridge</h1><p class="lead">Which rows and columns leave your sheets, for whom, and whether they get there.</p>
    <form onSubmit={(e) => { e.preventDefault(); enter(token); }}>
      <Text label="Admin token" type="password" value={token} set={setToken} error={problem?.detail} autofocus hint="It stays in the memory of this tab, and goes with it." />
      <button class="primary" disabled={busy || token.trim() === ""}>{busy ? "Signing in…" : "Sign in"}</button>
    </form></main>;
}

const Logo = () => <svg class="logo" viewBox="0 0 40 28" width="40" height="28" aria-hidden="true"><rect x="1.5" y="3.5" width="14" height="21" rx="3" /><path d="M1.5 10.5h14M1.5 17.5h14" /><path class="on" d="M18 14h13m-5-5 5 5-5 5" /><circle class="on" cx="36" cy="14" r="2.5" /></svg>;

function Shell({ first: answered, out }: { first: Overview; out: () => void }) {
  const { path, query } = usePlace();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const at = path.join("/");
  const first = useRef(true);
  useEffect(() => {
    setOpen(false);
    if (first.current) first.current = false;
    else main.current?.querySelector<HTMLElement>("h1")?.focus();
    scrollTo(0, 0);
  }, [at]);
  const here = path[0] ?? "overview";
  return <><a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.querySelector<HTMLElement>("h1")?.focus(); }}>Skip to the content</a>
    <div class="shell">
      <header class="side">
        <a class="brand" href={href(["overview"])}><Logo /><span>Sheetbridge</span></a>
        <button type="button" class="menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>Menu</button>
        <nav id="nav" class={open ? "open" : ""} aria-label="Main">
          {groups.map(([title, items]) => <div key={title}>{title && <p>{title}</p>}<ul>{items.map(([label, to]) =>
            <li key={to}><a href={href([to])} aria-current={here === to || to === "sheets" && (here === "shares" || here === "new") ? "page" : undefined}>{label}</a></li>)}</ul></div>)}
          <div class="foot"><Access.Consumer>{(a) => <p>{a.name}{a.readOnly && " · read-only"}</p>}</Access.Consumer><button type="button" class="small" onClick={out}>Sign out</button><p class="faint">version {answered.version}</p></div>
        </nav>
      </header>
      <main id="main" ref={main}>{view(path, query, first.current ? answered : undefined)}</main>
    </div></>;
}

function view(path: string[], query: URLSearchParams, known?: Overview) {
  const [first = "overview", a = "", b = "", c = ""] = path;
  switch (first) {
    case "overview": return <OverviewPage query={query} known={known} />;
    case "live": return <Live query={query} />;
    case "sheets": return <Sheets />;
    case "shares": return <SharePage key={path.join("/")} id={a} partner={b} sheet={c} query={query} />;
    case "new": return <NewShare query={query} />;
    case "partners": return a === "" ? <Partners query={query} /> : <PartnerPage key={a} name={a} query={query} />;
    case "owners": return a === "" ? <Owners query={query} /> : <OwnerPage key={a} name={a} />;
    case "explain": return <Explain query={query} />;
    case "doctor": return <Doctor query={query} />;
    case "dead": return <DeadHints />;
    case "audit": return <Auditing query={query} />;
    case "keys": return <KeysPage />;
  }
  return <Page title="Nothing is here"><Empty title="This address leads nowhere"><a class="button" href={href(["overview"])}>To the overview</a></Empty></Page>;
}

render(<App />, document.getElementById("app")!);
