import { useState } from "preact/hooks";
import type { Limits, MadeContact, MadeCredentials, MadeInvitation, MadePartner, NewCredentials, NewPartner, NewTerms, Partner } from "./api";
import { call } from "./client";
import { Act, Card, Code, Empty, number, Page, pairs, Pill, plural, Rest, save, Secret, Show, State, Sure, Table, Text, useAccess, useAct, useCall, When, Where } from "./parts";
import { go, href, setQuery } from "./route";
import { MayWrite } from "./writing";

export function Partners({ query }: { query: URLSearchParams }) {
  const partners = useCall("listPartners", {}, 15000), all = useCall("getOverview", {}, 15000);
  const { readOnly } = useAccess();
  const adding = query.get("new") === "1";
  return <Page title="Partners" lead="Companies that receive events. Each has a NATS account and a stream of its own, and sees nothing else."
    actions={!readOnly && !adding && <button type="button" class="primary" onClick={() => setQuery({ new: "1" })}>Add a partner</button>}>
    {adding && !readOnly && <AddPartner done={partners.reload} />}
    <Show of={partners}>{(d) => d.items.length === 0 ? (adding ? null : <Empty title="No partner yet"><p>Add the company that is to receive rows.</p></Empty>) :
      <Card flush><Table stack label="Partners" head={["Partner", "Gets", "State", "Last read", "Stream", "Added"]}>{d.items.map((p) => {
        const shares = all.data?.items.filter((s) => s.partner === p.name) ?? [], bad = shares.filter((s) => s.attention).length;
        return <tr key={p.name}><th scope="row"><a href={href(["partners", p.name])}>{p.name}</a></th><td>{!all.data ? "–" : shares.length === 0 ? <span class="faint">nothing yet</span> : <a href={href(["overview"], { q: p.name })}>{plural(shares.length, "share")}</a>}</td>
          <td>{shares.length > 0 && (bad > 0 ? <State state="warning" text={bad === 1 ? "1 needs attention" : `${number(bad)} need attention`} /> : <State state="ok" text="well" />)}</td>
          <td>{all.data ? <When at={shares.map((s) => s.lastRead).filter((t) => t).sort().at(-1)} none="not connected" /> : "–"}</td><td>{p.external ? <Pill>its own NATS</Pill> : <code>{p.url}</code>}</td><td><When at={p.createdAt} /></td></tr>;
      })}</Table></Card>}</Show>
  </Page>;
}

function AddPartner({ done }: { done: () => void }) {
  const [name, setName] = useState("");
  const [elsewhere, setElsewhere] = useState(false);
  const [nats, setNats] = useState({ url: "", credentials: "" });
  const [made, setMade] = useState<MadePartner>();
  const { busy, problem, act, field } = useAct();
  if (made) return <Card title={`Partner ${made.name} is added`}>
    {made.credentials && <Secret title="First credentials" text={made.credentials} file={made.name + ".creds"}>Give the file to the partner, or revoke it and send an invitation: then no secret travels.</Secret>}
    <div class="buttons"><a class="button primary" href={href(["new"], { partner: made.name })}>Share a sheet</a><a class="button" href={href(["partners", made.name])}>To the partner</a></div></Card>;
  const body = (): NewPartner => ({ name, ...(elsewhere && { nats }) });
  return <Card title="Add a partner"><form class="form" onSubmit={(e) => { e.preventDefault(); act(() => call("addPartner", { body: body() }), (m) => { setMade(m); done(); }); }}>
    <Text label="Name" value={name} set={setName} error={field("name")} hint={<>Small letters, digits and hyphens. It is in every subject: <code>smartsheet.{name || "name"}.&gt;</code></>} required />
    <label class="check"><input type="checkbox" checked={elsewhere} onChange={(e) => setElsewhere(e.currentTarget.checked)} /> Its account is at another NATS</label>
    {elsewhere && <><Text label="Address" value={nats.url} set={(url) => setNats({ ...nats, url })} error={field("nats.url") ?? field("nats")} placeholder="tls://nats.b.example:4222" />
      <Text label="Credentials of the bridge there" type="password" value={nats.credentials} set={(credentials) => setNats({ ...nats, credentials })} error={field("nats.credentials")} hint="The text of a .creds file." /></>}
    <Rest problem={problem} known={["name", "nats", "nats.url", "nats.credentials"]} />
    <div class="buttons"><button class="primary" disabled={busy}>{busy ? "Making the account…" : "Add"}</button><button type="button" onClick={() => setQuery({ new: undefined })}>Cancel</button></div>
  </form></Card>;
}

export function PartnerPage({ name, query }: { name: string; query: URLSearchParams }) {
  const partner = useCall("getPartner", { path: { name } });
  const { readOnly } = useAccess();
  const contract = () => call("getContract", { path: { name } }).then((c) => save(name + "-asyncapi.json", JSON.stringify(c, null, 2), "application/json"));
  return <Page title={"Partner " + name} actions={<><a class="button" href={href(["live"], { partner: name })}>Watch live</a>{!readOnly && <a class="button" href={href(["new"], { partner: name })}>Share a sheet</a>}
    <Sure label="Remove the partner" name={name} what="Its shares end, its connections are closed, and its account and stream go." run={() => call("deletePartner", { path: { name } })} done={() => go(["partners"])} /></>}>
    <Show of={partner}>{(p) => <>
      <PartnerShares name={name} />
      {!p.external && <Invitations name={name} />}
      <CredentialList name={name} />
      <WhatItHasRead name={name} />
      <Contact p={p} done={partner.reload} />
      <Terms p={p} editing={query.get("edit") === "1"} done={partner.reload} />
      <Card title="For its developers" aside={<AnyAct label="Save the contract (AsyncAPI)" run={contract} />}>
        <p>Its stream is at <code>{p.url}</code>, is called <code>{p.stream}</code> and holds <code>{p.subjects}</code>. The contract names every subject, message and schema, and has no secret in it.</p><Snippets url={p.url} subjects={p.subjects} /></Card>
    </>}</Show>
  </Page>;
}

/** AnyAct is a button that changes nothing: a read-only token has it too. */
function AnyAct({ label, run }: { label: string; run: () => Promise<unknown> }) {
  const { busy, problem, act } = useAct();
  return <span class="act"><button type="button" class="small" disabled={busy} onClick={() => act(run)}>{label}</button>{problem && <span class="error" role="alert">{problem.detail}</span>}</span>;
}

function PartnerShares({ name }: { name: string }) {
  const all = useCall("getOverview", {}, 10000);
  const { readOnly } = useAccess();
  return <Card flush title="What it gets"><Show of={all}>{(o) => {
    const shares = o.items.filter((s) => s.partner === name);
    return shares.length === 0 ? <Empty title="Nothing yet">{!readOnly && <a class="button" href={href(["new"], { partner: name })}>Share a sheet</a>}</Empty> : <Table label="Shares of the partner" head={["Sheet", "State", "Columns", "Rows", "May write", "Read"]}>{shares.map((s) => <tr key={s.webhook + s.sheet}>
      <th scope="row"><a href={href(["shares", s.webhook, s.partner, s.sheet])}>{s.sheet}</a></th><td><State state={s.state} /></td><td>{s.columns}{s.columnsOf ? ` of ${s.columnsOf}` : ""}</td>
      <td><Where s={s} /></td><td>{s.write ? <MayWrite terms={s.write} /> : "no"}</td><td><When at={s.lastRead} none="not connected" /></td></tr>)}</Table>;
  }}</Show></Card>;
}

function Invitations({ name }: { name: string }) {
  const list = useCall("listInvitations", { path: { name } });
  const [as, setAs] = useState("");
  const [made, setMade] = useState<MadeInvitation>();
  const { busy, problem, act, field } = useAct();
  const { readOnly } = useAccess();
  return <Card title="Invitations"><p>A link that works once: the partner makes its own key, and no secret travels.</p>
    {made && <Secret title={`Invitation ${made.name}`} text={made.url}>Send it to the partner. It works until {new Date(made.expiresAt).toLocaleString()}.</Secret>}
    {!readOnly && <form class="inline" onSubmit={(e) => { e.preventDefault(); act(() => call("invite", { path: { name }, body: { name: as } }), (m) => { setMade(m); setAs(""); list.reload(); }); }}>
      <Text label="Name of the credentials" value={as} set={setAs} placeholder="erp" error={field("name") ?? problem?.detail} /><button disabled={busy || as === ""}>Invite</button></form>}
    <Show of={list}>{(d) => d.items.length === 0 ? null : <Table label="Invitations" head={["Name", "State", "Ends", ""]}>{d.items.map((i) => <tr key={i.id}><th scope="row">{i.name}</th><td><State state={i.state === "open" ? "loading" : i.state === "used" ? "ok" : "ended"} text={i.state} /></td><td><When at={i.expiresAt} /></td>
      <td>{i.state === "open" && <Act label="Withdraw" run={() => call("withdrawInvitation", { path: { name, id: i.id } })} done={list.reload} />}</td></tr>)}</Table>}</Show></Card>;
}

function CredentialList({ name }: { name: string }) {
  const list = useCall("listCredentials", { path: { name } });
  const [c, set] = useState({ name: "", days: "365", overlap: "", publicKey: "" });
  const [made, setMade] = useState<MadeCredentials>();
  const { busy, problem, act, field } = useAct();
  const { readOnly } = useAccess();
  const body = (): NewCredentials => ({ name: c.name, ...(c.days === "" ? { expiresAt: null } : { expiresAt: new Date(Date.now() + Number(c.days) * 86400e3).toISOString() }), ...(c.overlap && { overlap: c.overlap }), ...(c.publicKey && { publicKey: c.publicKey }) });
  return <Card title="Credentials">
    <Show of={list}>{(d) => d.items.length === 0 ? <Empty title="No credentials"><p>Without them the partner cannot read. Invite it, or make some below.</p></Empty> : <Table label="Credentials" head={["Name", "User", "Made", "Expires", ""]}>{d.items.map((k) => <tr key={k.publicKey}><th scope="row">{k.name}{k.leaf && <Pill>leaf node</Pill>}</th><td><code title={k.publicKey}>{k.publicKey.slice(0, 10)}…</code></td><td><When at={k.createdAt} /></td>
      <td>{k.overlapUntil ? <>replaced, good until <When at={k.overlapUntil} /></> : k.expiresAt ? <When at={k.expiresAt} /> : <Pill tone="warn">never</Pill>}</td>
      <td><Sure label="Revoke" name={k.name} what={`Connections with the credentials ${k.name} are closed at once.`} run={() => call("revokeCredentials", { path: { name, credentials: k.name } })} done={list.reload} /></td></tr>)}</Table>}</Show>
    {made?.credentials && <Secret title={`Credentials ${made.name}`} text={made.credentials} file={`${name}-${made.name}.creds`} />}
    {made?.jwt && <Secret title={`JWT of ${made.name}`} text={made.jwt}>It belongs to the key that the partner made.</Secret>}
    {!readOnly && <details><summary>Make or replace credentials</summary><form class="form" onSubmit={(e) => { e.preventDefault(); act(() => call("makeCredentials", { path: { name }, body: body() }), (m) => { setMade(m); list.reload(); }); }}>
      <Text label="Name" value={c.name} set={(v) => set({ ...c, name: v })} error={field("name")} hint="A name that exists is replaced." required />
      <Text label="Days until they end" type="number" min="1" value={c.days} set={(days) => set({ ...c, days })} error={field("expiresAt")} hint="Empty: never." />
      <Text label="The old ones stay good for" value={c.overlap} set={(overlap) => set({ ...c, overlap })} error={field("overlap")} placeholder="24h" hint="Empty: refused at once." />
      <Text label="Public key that the partner made (optional)" value={c.publicKey} set={(publicKey) => set({ ...c, publicKey })} error={field("publicKey")} placeholder="U…" />
      <Rest problem={problem} known={["name", "expiresAt", "overlap", "publicKey"]} /><div class="buttons"><button disabled={busy}>Make credentials</button></div></form></details>}
  </Card>;
}

function Contact({ p, done }: { p: Partner; done: () => void }) {
  const [url, setUrl] = useState("");
  const [made, setMade] = useState<MadeContact>();
  const { busy, problem, act, field } = useAct();
  const { readOnly } = useAccess();
  return <Card title="Notices">
    <p>{p.contact ? <>Sent to <code>{p.contact}</code> when a share ends, is suspended or is back, and before credentials expire.</> : "None are sent. Give an address of the partner's, and it is told when a share ends, is suspended or is back, and before credentials expire."}</p>
    {made?.secret && <Secret title="Secret that signs what is sent" text={made.secret}>Give it to the partner: with it a library of Standard Webhooks checks the signatures.</Secret>}
    {!readOnly && <form class="inline" onSubmit={(e) => { e.preventDefault(); act(() => call("setContact", { path: { name: p.name }, body: { url } }), (m) => { setMade(m); setUrl(""); done(); }); }}>
      <Text label="Address" value={url} set={setUrl} placeholder="https://hooks.b.example/sheetbridge" error={field("url") ?? problem?.detail} /><button disabled={busy || url === ""}>Send notices there</button></form>}
    {p.contact && <Act label="Send no more notices" run={() => call("removeContact", { path: { name: p.name } })} done={done} />}</Card>;
}

function WhatItHasRead({ name }: { name: string }) {
  const reading = useCall("getReading", { path: { name } }, 15000);
  return <Card title="What it has read"><Show of={reading}>{(r) => <>
    {r.notReading ? <p><Pill tone="warn">not reading</Pill> {r.seenAt ? <>It has read nothing since <When at={r.seenAt} /></> : "It has never read anything"}, and something waits for it since <When at={r.unreadSince} />. Ask the partner whether its program runs.</p>
      : <p>{r.deliveredTo ? <>It was given the stream up to message <span class="num">{r.deliveredTo.sequence}</span>{r.last && <> of <span class="num">{r.last.sequence}</span></>}, <When at={r.deliveredTo.time} />.</> : "None of its consumers was given anything yet."}</p>}
    {r.items.length === 0 ? null : <Table label="What the partner has read" head={["Credentials", "Durable consumer", "Delivered up to", "Unread", "Seen", ""]}>{r.items.map((i) => <tr key={(i.credentials ?? "") + "/" + (i.consumer ?? "")}>
      <th scope="row">{i.credentials ?? "not known"}</th><td>{i.consumer ? <code>{i.consumer}</code> : "none"}</td>
      <td class="num">{i.deliveredTo ? <>{i.deliveredTo.sequence}, <When at={i.deliveredTo.time} /></> : "–"}</td><td class="num">{i.unread ?? "–"}</td><td><When at={i.seenAt} none="never" /></td><td>{i.present ? <Pill>reads</Pill> : "gone"}</td></tr>)}</Table>}
  </>}</Show></Card>;
}

const labels: Record<keyof Limits, string> = { storage: "Storage", consumers: "Consumers", connections: "Connections", payload: "Largest request", subscriptions: "Subscriptions", leafNodes: "Leaf nodes", waiting: "Waiting pulls", ackPending: "Unacknowledged", requests: "Requests a second", unread: "Unread" };

function Terms({ p, editing, done }: { p: Partner; editing: boolean; done: () => void }) {
  const { readOnly } = useAccess();
  const { busy, problem, act, field } = useAct();
  const now: Record<string, string> = { history: String(p.history), tombstones: p.tombstones, sources: (p.sources ?? []).join(", "), attributes: Object.entries(p.attributes ?? {}).map(([name, text]) => `${name}=${text}`).join(", ") };
  for (const [k, v] of Object.entries(p.limits ?? {})) now["limits." + k] = String(v);
  const [edit, setEdit] = useState<Record<string, string> | undefined>(editing && !readOnly ? { ...now } : undefined);
  const label = (k: string) => k === "history" ? "Messages kept of each object" : k === "tombstones" ? "Deletions are kept for" : k === "sources" ? "Networks it may come from" : k === "attributes" ? "Attributes for filters" : labels[k.slice(7) as keyof Limits] ?? k;
  const days = (v: string) => { const hours = Number(/^(\d+)h0m0s$/.exec(v)?.[1] ?? 0); return hours > 0 && hours % 24 === 0 ? `${hours / 24} days` : v; };
  const change = (): NewTerms => {
    const terms: Record<string, unknown> = {}, limits: Record<string, unknown> = {};
    for (const [k, v] of Object.entries(edit ?? {})) {
      if (v === now[k]) continue;
      const value = k === "attributes" ? Object.fromEntries(pairs(v)) : k === "sources" ? v.split(",").map((s) => s.trim()).filter(Boolean) : typeof (p.limits as never)?.[k.slice(7)] === "number" || k === "history" ? Number(v) : v;
      if (k.startsWith("limits.")) limits[k.slice(7)] = value; else terms[k] = value;
    }
    return { ...terms, ...(Object.keys(limits).length > 0 && { limits }) } as NewTerms;
  };
  return <Card title="Limits and terms" aside={!readOnly && !edit && <button type="button" class="small" onClick={() => setEdit({ ...now })}>Change</button>}>
    {!edit ? <dl class="facts">{Object.entries(now).map(([k, v]) => <div key={k}><dt>{label(k)}</dt><dd class="num">{k === "tombstones" ? days(v) : v || (k === "attributes" ? "none" : "any")}</dd></div>)}</dl> :
      <form class="form grid" onSubmit={(e) => { e.preventDefault(); act(() => call("changePartner", { path: { name: p.name }, body: change() }), () => { setEdit(undefined); done(); }); }}>
        {Object.keys(now).map((k) => <Text key={k} label={label(k)} placeholder={k === "attributes" ? "region=EMEA" : k === "sources" ? "203.0.113.0/24" : undefined} value={edit[k]} set={(v) => setEdit({ ...edit, [k]: v })} error={field(k)} />)}
        <Rest problem={problem} known={Object.keys(now)} /><div class="buttons"><button class="primary" disabled={busy}>Save</button><button type="button" onClick={() => setEdit(undefined)}>Cancel</button></div></form>}
  </Card>;
}

/** Snippets are ways to read the stream, ready to paste. */
export function Snippets({ url, subjects }: { url: string; subjects: string }) {
  const [lang, set] = useState("go");
  const text: Record<string, string> = {
    go: `nc, err := nats.Connect("${url}", nats.UserCredentials("partner.creds"))\nif err != nil {\n\treturn err\n}\njs, err := jetstream.New(nc)\nif err != nil {\n\treturn err\n}\nconsumer, err := js.OrderedConsumer(ctx, "EVENTS", jetstream.OrderedConsumerConfig{\n\tFilterSubjects: []string{"${subjects}"},\n\tDeliverPolicy:  jetstream.DeliverLastPerSubjectPolicy,\n})\nif err != nil {\n\treturn err\n}\n_, err = consumer.Consume(func(m jetstream.Msg) { fmt.Println(m.Subject(), string(m.Data())) })`,
    js: `import { connect, credsAuthenticator } from "@nats-io/transport-node";\nimport { jetstream, DeliverPolicy } from "@nats-io/jetstream";\nimport { readFile } from "node:fs/promises";\n\nconst nc = await connect({ servers: "${url}", authenticator: credsAuthenticator(await readFile("partner.creds")) });\nconst consumer = await jetstream(nc).consumers.get("EVENTS", { filter_subjects: ["${subjects}"], deliver_policy: DeliverPolicy.LastPerSubject });\nfor await (const m of await consumer.consume()) console.log(m.subject, m.json());`,
    cli: `nats --server ${url} --creds partner.creds sub --stream EVENTS --last-per-subject "${subjects}"`,
  };
  return <div class="snippets"><div class="tabs" role="group" aria-label="Language">{[["go", "Go"], ["js", "JavaScript"], ["cli", "nats CLI"]].map(([k, t]) => <button type="button" key={k} aria-pressed={lang === k} onClick={() => set(k)}>{t}</button>)}</div><Code text={text[lang]} label="Program that reads the stream" /></div>;
}
