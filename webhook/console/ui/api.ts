// Code generated from the OpenAPI document by go generate; DO NOT EDIT.

export interface Accepted {
  /** What will be done */
  accepted: string;
}

export interface Access {
  kind: "token" | "assume" | "oauth";
  owner: string;
  region: "us" | "eu" | "au" | "gov";
  /** What a consent covers; a token of a user's own may do whatever the user may */
  scopes?: string[] | null;
  shared: SharedSheet[];
  /** Sheets that the token can read */
  sheetsReached: number;
  /** Sheets of which something is shared through the bridge */
  sheetsShared: number;
  /** How to make access that can do no more than needed; none where it can do no more */
  steps: string[];
  /** For whom it reads */
  user: AccessUser;
  verdict: string;
  /** One for each thing that it can do and need not */
  warnings: string[];
}

export interface AccessUser {
  /** The token is a System Admin's */
  admin: boolean;
  email: string;
  /** The user may own sheets and make tokens */
  licensed: boolean;
  name: string;
}

export interface Action {
  /** Members to add to the body of the same request, which consent to what was refused */
  add?: { [name: string]: unknown };
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
}

export interface AuditEntry {
  at: string;
  /** Address that the request came from */
  client?: string;
  /** More about it, without secrets */
  details?: unknown;
  /** SHA-256 of this entry */
  hash: string;
  /** What it is about */
  on: string;
  /** Of an action: begun, and in another entry done or refused; of what is stored: changed; of an answer that shows cells: previewed */
  outcome: "begun" | "done" | "refused" | "changed" | "previewed";
  /** SHA-256 of the entry before it */
  previous: string;
  /** Id of the request, as in the header X-Request-Id of its answer and in the log */
  request?: string;
  /** Its place, from 1 */
  sequence: string;
  what: string;
  /** Name of the admin token; bridge: of itself; owner …: in the browser */
  who: string;
}

export interface Broken {
  sequence: number;
  why: string;
}

export interface Check {
  /** The call that leads out of it, where there is one */
  action?: Action;
  area: "bridge" | "clock" | "nats" | "public" | "queue" | "owner" | "partner" | "webhook" | "share";
  /** What was found */
  detail: string;
  /** warning: nothing is broken, or it cannot be told */
  level: "ok" | "warning" | "wrong";
  /** What of it was looked at */
  name: string;
  /** What to do about it */
  todo?: string;
}

export interface Column {
  /** The field's name */
  as: string;
  columnId: string;
  mask?: string;
  /** As it was when the share was made */
  title: string;
  /** As it was when the share was made */
  type: string;
}

export interface CreateTerms {
  /** Fields that may be set */
  columns: string[];
  /** One of them, whose value no other row of the sheet has */
  key: string;
}

export interface Credentials {
  createdAt: string;
  /** When they are refused by themselves; null: never */
  expiresAt: string | null;
  /** They are for a server of the partner's own, and only there */
  leaf: boolean;
  name: string;
  /** They were replaced by others of that name, and are refused from then on */
  overlapUntil?: string;
  /** The NATS user, as logs of NATS name it */
  publicKey: string;
}

export interface Dead {
  /** When it was given up */
  at: string;
  /** Passes that failed for it */
  attempts: number;
  id: string;
  /** Why it was given up */
  reason: string;
  /** Rows that it was for, at most a hundred of them */
  rows: string[];
  /** Id of the registration that it is for */
  webhook: string;
  /** It was for the whole sheet */
  whole: boolean;
  /** Who gave it */
  why: "callback" | "reconcile" | "admin" | "share";
}

export interface Diagnosis {
  at: string;
  items: Check[];
  /** Nothing is wrong */
  ok: boolean;
}

export interface Ending {
  action: Action;
  at: string;
  kind: "credentials" | "share";
  /** Of the credentials, or of the sheet */
  name: string;
  partner: string;
}

export interface EraseRow {
  /** a row's id: digits, in a string */
  row: string;
}

export interface ErrorDetail {
  /** Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
  location?: string;
  /** Error message text */
  message?: string;
  /** The value at the given location */
  value?: unknown;
}

export interface ErrorModel {
  /** The call that leads out of it, where there is one */
  action?: Action;
  /** A human-readable explanation specific to this occurrence of the problem. */
  detail?: string;
  /** Optional list of individual error details */
  errors?: ErrorDetail[] | null;
  /** A URI reference that identifies the specific occurrence of the problem. */
  instance?: string;
  /** HTTP status code */
  status?: number;
  /** A short, human-readable summary of the problem type. This value should not change between occurrences of the error. */
  title?: string;
  /** A URI reference to human-readable documentation for the error. */
  type?: string;
}

export interface ExplainedCell {
  as: string;
  /** Whether the sheet still has it */
  column: "there" | "deleted" | "unread";
  mask?: string;
  /** Of the column, when the share was made */
  title: string;
  type: string;
  /** As the partner sees it, masked where the share masks it; absent where the row is hidden */
  value?: unknown;
}

export interface ExplainedEvent {
  /** In the partner's stream */
  sequence: string;
  type: string;
  /** Of the sheet when it was read */
  version: number;
  /** The partner has the row since */
  visible: boolean;
}

export interface ExplainedFilter {
  /** What where names of the partner's attributes */
  attributes?: { [name: string]: string };
  result: "none" | "shows" | "hides" | "fails" | "unread";
  where?: string;
}

export interface ExplainedRow {
  modifiedAt?: string;
  number?: number;
  /** Why it could not be read */
  reason?: string;
  /** unread: Smartsheet could not be asked */
  state: "there" | "gone" | "unread";
  /** Of the sheet when it was read */
  version?: number;
}

export interface Explanation {
  /** The call of the first step that has one */
  action?: Action;
  /** Hints that wait for the sheet; null: unknown */
  backlog: number | null;
  /** The shared columns, in the share's order. Of a row that is hidden they have no values */
  cells: ExplainedCell[];
  /** How far the partner's stream is complete; null: not yet, or unknown */
  completeTo: {
    /** When it had that version */
    time: string;
    /** Of the sheet */
    version: number;
  } | null;
  /** Hints for this row, or for its whole sheet, that were given up */
  dead: Dead[];
  /** Fields in which that event differs from what the share shows now */
  differs: string[];
  filter: ExplainedFilter;
  /** The last event of the row in the partner's stream; absent: there is none */
  last?: ExplainedEvent;
  partner: string;
  /** Why the share is not live */
  reason?: string;
  /** Its id */
  row: string;
  sheet: string;
  sheetId: string;
  /** The row at Smartsheet, read just now */
  source: ExplainedRow;
  /** Of the share, as the partner was told */
  state: "loading" | "live" | "stale" | "suspended" | "ended" | "unknown";
  /** What to do, where something is to be done */
  steps: string[];
  /** In one sentence */
  verdict: string;
}

export interface FilterResult {
  /** When these numbers were first found so */
  at: string;
  /** Rows on which it cannot be evaluated, which hides them */
  failed: number;
  /** Of the sheet */
  rows: number;
  /** Rows that pass it */
  shown: number;
}

export interface FilterTrial {
  /** All of them were read */
  complete: boolean;
  /** Rows on which it cannot be evaluated, which hides them */
  failed: number;
  /** Some of those, with the error */
  failedRows: TriedRow[];
  /** Rows for which it is false */
  hidden: number;
  /** Some of those */
  hiddenRows: TriedRow[];
  /** Rows that were read: all, or the first 2,000 */
  rows: number;
  /** Rows that the partner would see */
  shown: number;
  /** Rows of the sheet */
  total: number;
}

export interface Invitation {
  createdAt: string;
  expiresAt: string;
  id: string;
  /** Of the credentials that it gives */
  name: string;
  state: "open" | "used" | "expired";
  /** null: not used */
  usedAt: string | null;
}

export interface Key {
  /** Not secret */
  id: string;
  /** How many stored values are sealed under it */
  sealed: number;
  /** primary: seals; coming: opens, and will seal when all replicas have it; old: opens; disabled: neither */
  state: "primary" | "coming" | "old" | "disabled";
}

export interface Keys {
  items: Key[];
  /** After a rotation: how many replicas use the new key */
  replicas?: number;
  /** After a rotation: how many records were sealed under the new key */
  resealed?: number;
}

export interface Limits {
  /** Messages that one consumer may have delivered and not acknowledged; one that asks for more gets as many */
  ackPending: number;
  /** Open at once */
  connections: number;
  /** Of its stream */
  consumers: number;
  /** Servers of its own that are connected at once */
  leafNodes: number;
  /** Largest request that it may send */
  payload: string;
  /** To JetStream's API in a second, over all its connections. A connection that goes on beyond that is closed */
  requests: number;
  /** Of its stream on disk. Once it is full nothing more is published to this partner */
  storage: string;
  /** Of one connection */
  subscriptions: number;
  /** Sent to its connections together and not yet read. Beyond that those that have read least are closed */
  unread: string;
  /** Pulls that may wait at one consumer; one that asks for more is refused */
  waiting: number;
}

export interface ListAuditEntry {
  items: AuditEntry[];
}

export interface ListCredentials {
  items: Credentials[];
}

export interface ListDead {
  items: Dead[];
}

export interface ListInvitation {
  items: Invitation[];
}

export interface ListOwner {
  items: Owner[];
}

export interface ListPartner {
  items: Partner[];
}

export interface ListSheet {
  items: Sheet[];
}

export interface ListWebhook {
  items: Webhook[];
}

export interface MadeContact {
  /** Of the address */
  host: string;
  /** One that was made, for the partner to check signatures with. Shown this once */
  secret?: string;
}

export interface MadeCredentials {
  /** Text of a NATS .creds file. Shown this once; absent with a publicKey */
  credentials?: string;
  /** When they are refused by themselves; null: never */
  expiresAt: string | null;
  /** With a publicKey: what makes its owner a user. It is no secret */
  jwt?: string;
  name: string;
  /** The NATS user */
  publicKey: string;
}

export interface MadeInvitation {
  expiresAt: string;
  id: string;
  /** Of the credentials that it gives */
  name: string;
  /** What to send to the partner. It is a secret, and shown this once */
  url: string;
}

export interface MadePartner {
  /** That the filters of its shares may name, as partner.region; absent: it has none */
  attributes?: { [name: string]: string };
  /** Host of the address where it is told what concerns it; absent: it is not */
  contact?: string;
  createdAt: string;
  /** Text of a NATS .creds file, named default. Shown this once; absent where the account is external */
  credentials?: string;
  /** Its account is at another NATS: the bridge mints no credentials there */
  external: boolean;
  /** How many messages of each subject its stream keeps */
  history: number;
  /** Of its NATS account; absent where that is not ours */
  limits?: Limits;
  name: string;
  /** Networks from which its credentials work; absent: from everywhere */
  sources?: string[] | null;
  /** The one stream of its account */
  stream: string;
  /** What its stream holds */
  subjects: string;
  /** How long its stream keeps that an object was deleted */
  tombstones: string;
  /** Where its NATS is */
  url: string;
}

export interface MasterKey {
  /** What is left to do */
  next: string;
  /** How many replicas have it */
  replicas: number;
}

export interface NATS {
  /** Text of a .creds file with which the bridge publishes there. It is sealed, and never shown again */
  credentials: string;
  /** nats://host:port or tls://host:port, several of one cluster separated by commas */
  url: string;
}

export interface NewColumn {
  /** The field's name; default: a slug of the title */
  as?: string;
  columnId?: string;
  /** What the partner gets instead of the value */
  mask?: "hash" | "redact";
  title?: string;
}

export interface NewContact {
  /** That signs them, as Standard Webhooks: whsec_ and base64 of 24 to 64 bytes; left out: one is made. Sealed */
  secret?: string;
  /** Address to which notices are posted: https, or http to this machine. It must not lead into our own network. Sealed, and never shown again, since it may have a secret in it */
  url: string;
}

export interface NewCredentials {
  /** When they are to be refused; left out: in a year; null: never */
  expiresAt?: string | null;
  /** For a server of the partner's own that copies the stream through SHEETBRIDGE_NATS_LEAF_LISTEN; good for nothing else */
  leaf?: boolean;
  /** 1 to 32 of a-z, 0-9 and -, with no - at either end */
  name: string;
  /** How long those that have the name go on beside these, up to 2160h; left out: they are refused at once */
  overlap?: string;
  /** Public half of a NATS user key that the partner made. The answer has a jwt then, and no secret */
  publicKey?: string;
}

export interface NewInvitation {
  /** Until when it is good, within 90 days; left out: 7 days */
  expiresAt?: string;
  /** Of the credentials that it gives. Those that have it go on for 24 hours once it is used; 1 to 32 of a-z, 0-9 and -, with no - at either end */
  name: string;
}

export interface NewLimits {
  /** Messages that one consumer may have delivered and not acknowledged; 5000 by default */
  ackPending?: number;
  /** Open at once; 16 by default */
  connections?: number;
  /** Of its stream; 64 by default */
  consumers?: number;
  /** Servers of its own that are connected at once; 4 by default */
  leafNodes?: number;
  /** Largest request that it may send, from 1KiB to 8MiB; 512KiB by default */
  payload?: string;
  /** To JetStream's API in a second; 100 by default */
  requests?: number;
  /** Of its stream on disk, from 64KiB to 16TiB; 1GiB by default */
  storage?: string;
  /** Of one connection; 256 by default */
  subscriptions?: number;
  /** Sent to its connections together and not yet read, from 16MiB to 16GiB; 16MiB by default */
  unread?: string;
  /** Pulls that may wait at one consumer; 512 by default */
  waiting?: number;
}

export interface NewOwner {
  /** Act as this user; the token must be a System Admin's; the e-mail address of a user */
  assumeUser?: string;
  /** Of the kind oauth: who has to consent. Another user's consent is refused; the e-mail address of a user */
  email?: string;
  /** When the token runs out, where its plan limits that: there are warnings 30, 7 and 1 days before */
  expiresAt?: string;
  /** Follows from the other fields where it is left out */
  kind?: "token" | "assume" | "oauth";
  /** 1 to 32 of a-z, 0-9 and -, with no - at either end */
  name: string;
  /** Where the user's account lives */
  region: "us" | "eu" | "au" | "gov";
  /** Access token of the user. It is tried, sealed, and never shown again; an access token as Smartsheet shows it, without blanks */
  token?: string;
}

export interface NewPartner {
  /** All of its attributes: texts of up to 200 characters, which the filters of its shares may name, as in region == partner.region. Shares whose filters name one that changes are compared again; one that a filter names cannot be removed. A name is a letter a-z, then a-z, 0-9 and _ */
  attributes?: { [name: string]: string };
  /** How many messages of each subject its stream keeps; 32 by default */
  history?: number;
  /** Only where the account is ours */
  limits?: NewLimits;
  /** 1 to 32 of a-z, 0-9 and -, with no - at either end */
  name: string;
  /** Where the partner's account is somewhere else; required where SHEETBRIDGE_NATS_URL is set */
  nats?: NATS;
  /** Networks or addresses from which its credentials work, where the account is ours; an empty list: from everywhere. All connections are closed; those from elsewhere are refused when they connect again */
  sources?: string[];
  /** How long its stream keeps that an object was deleted, from 1h to ten years; 720h by default */
  tombstones?: string;
  /** Make no first credentials: the partner gets them by an invitation */
  withoutCredentials?: boolean;
}

export interface NewShare {
  /** What is shared, and nothing else */
  columns: NewColumn[];
  /** Take a where that cannot be evaluated on any row of the sheet, so that no row is shown */
  filterMayFail?: boolean;
  /** Kinds of object that are shared; default: rows */
  kinds?: ("row" | "attachment" | "comment")[];
  /** Who may see it */
  partner: string;
  /** The partner's name for the sheet; default: a slug of the sheet's name; 1 to 32 of a-z, 0-9 and -, with no - at either end */
  sheet?: string;
  /** When the share ends by itself; left out: never */
  until?: string;
  /** CEL over the fields, cells["Title"] and the partner's attributes, as in region == partner.region; default: every row */
  where?: string;
  /** What the partner may have changed of the sheet; default: nothing */
  write?: WriteTerms;
}

export interface NewShareDefinition {
  /** The partner agrees to lose fields, or to get them with another type */
  breaking?: boolean;
  /** What is shared, and nothing else */
  columns: NewColumn[];
  /** Take a where that cannot be evaluated on any row of the sheet, so that no row is shown */
  filterMayFail?: boolean;
  /** Kinds of object that are shared; default: rows */
  kinds?: ("row" | "attachment" | "comment")[];
  /** In whose name the sheet is read from then on, which does not end the share; left out: as before */
  owner?: string;
  /** When the share ends by itself; left out: never */
  until?: string;
  /** CEL over the fields, cells["Title"] and the partner's attributes, as in region == partner.region; default: every row */
  where?: string;
  /** What the partner may have changed of the sheet; default: nothing */
  write?: WriteTerms;
}

export interface NewTerms {
  /** All of its attributes: texts of up to 200 characters, which the filters of its shares may name, as in region == partner.region. Shares whose filters name one that changes are compared again; one that a filter names cannot be removed. A name is a letter a-z, then a-z, 0-9 and _ */
  attributes?: { [name: string]: string };
  /** How many messages of each subject its stream keeps; 32 by default */
  history?: number;
  /** Only where the account is ours */
  limits?: NewLimits;
  /** Networks or addresses from which its credentials work, where the account is ours; an empty list: from everywhere. All connections are closed; those from elsewhere are refused when they connect again */
  sources?: string[];
  /** How long its stream keeps that an object was deleted, from 1h to ten years; 720h by default */
  tombstones?: string;
}

export interface NewToken {
  /** When it runs out; left out: not known */
  expiresAt?: string;
  /** Access token of the same user; an access token as Smartsheet shows it, without blanks */
  token: string;
}

export interface NewWebhook {
  /** In whose name the sheet is read */
  owner: string;
  shares: NewShare[];
  /** a sheet's id: digits, in a string */
  sheetId: string;
}

export interface Overview {
  /** What the token of this request may do */
  access: OverviewAccess;
  at: string;
  counts: OverviewCounts;
  /** What ends within 30 days, or has ended, soonest first */
  ending: Ending[];
  /** The shares, those that need a person first */
  items: OverviewShare[];
  /** Owners whose access does not work */
  owners: OverviewOwner[];
  /** Of the bridge */
  version: string;
}

export interface OverviewAccess {
  /** Of the token */
  name: string;
  /** It may change nothing and is shown no cells */
  readOnly: boolean;
}

export interface OverviewCounts {
  /** Hints that were given up; null: unknown */
  dead: number | null;
  /** Credentials and shares that end within 30 days, or have ended */
  ending: number;
  /** Live shares none of whose rows passes the filter, or whose filter cannot be evaluated on some */
  filterWarnings: number;
  live: number;
  loading: number;
  /** Partners with shares that have read nothing for long, although there was something */
  notReading: number;
  owners: number;
  /** Owners whose access does not work */
  ownersToMend: number;
  partners: number;
  shares: number;
  sheets: number;
  stale: number;
  suspended: number;
  unknown: number;
}

export interface OverviewOwner {
  action: Action;
  name: string;
  reason?: string;
  state: "authorize" | "refused" | "suspended";
}

export interface OverviewShare {
  /** The next step, where there is one */
  action?: Action;
  /** What a person should see to; absent: nothing */
  attention?: string;
  /** What where names of the partner's attributes */
  attributes?: { [name: string]: string };
  /** Hints that wait for the sheet; null: unknown */
  backlog: number | null;
  /** That are shared */
  columns: number;
  /** That the sheet had when the share was made or changed; absent: unknown */
  columnsOf?: number;
  /** How far the partner's stream is complete; null: not yet, or unknown */
  completeTo: {
    /** When it had that version */
    time: string;
    /** Of the sheet */
    version: number;
  } | null;
  filter?: FilterResult;
  kinds: string[];
  /** Messages that the partner's slowest consumer has still to get; null: unknown */
  lag: number | null;
  /** When the partner last read, or waited for something to read; null: never, or unknown */
  lastRead: string | null;
  /** Fields that are masked */
  masked: string[];
  /** The partner has read nothing for long, and there was something */
  notReading: boolean;
  owner: string;
  partner: string;
  /** How far its load is; null: it is not being loaded, or by another replica */
  progress: {
    /** Rows that were compared */
    done: number;
    /** Rows that the sheet has */
    of: number;
  } | null;
  /** Up to where any reader of the partner was given its stream; null: nothing yet, or unknown */
  readTo: {
    /** Of the partner's stream */
    sequence: number;
    time: string;
  } | null;
  reason?: string;
  /** The partner's name for it */
  sheet: string;
  sheetId: string;
  /** At Smartsheet */
  sheetName: string;
  state: "loading" | "live" | "stale" | "suspended" | "ended" | "unknown";
  /** Of the webhook at Smartsheet, or POLLING */
  status: string;
  /** When it ends by itself; absent: never */
  until?: string;
  /** Id of the registration */
  webhook: string;
  /** Absent: every row is shared */
  where?: string;
  /** What the partner may have changed of the sheet; absent: nothing */
  write?: WriteTerms;
}

export interface Owner {
  /** Whom an administrator's token acts for */
  assumeUser?: string;
  /** Where the sheet's owner consents. Shown this once; it works for ten minutes */
  authorizeUrl?: string;
  createdAt: string;
  /** Whom the token speaks for */
  email: string;
  /** When its token runs out, as it was told; the token of a consent is renewed before */
  expiresAt?: string;
  kind: "token" | "assume" | "oauth";
  /** When a request was last sent with the token, over all replicas; absent: not within an hour */
  lastUsed?: string;
  name: string;
  /** Why it does not */
  reason?: string;
  region: "us" | "eu" | "au" | "gov";
  /** Sent with the token in this minute of the clock, over all replicas and all owners that stand on it */
  requestsThisMinute?: number;
  /** Whether the access works */
  state: "ok" | "authorize" | "refused" | "suspended";
  /** What the token can do and need not */
  warnings?: string[] | null;
}

export interface Partner {
  /** That the filters of its shares may name, as partner.region; absent: it has none */
  attributes?: { [name: string]: string };
  /** Host of the address where it is told what concerns it; absent: it is not */
  contact?: string;
  createdAt: string;
  /** Its account is at another NATS: the bridge mints no credentials there */
  external: boolean;
  /** How many messages of each subject its stream keeps */
  history: number;
  /** Of its NATS account; absent where that is not ours */
  limits?: Limits;
  name: string;
  /** Networks from which its credentials work; absent: from everywhere */
  sources?: string[] | null;
  /** The one stream of its account */
  stream: string;
  /** What its stream holds */
  subjects: string;
  /** How long its stream keeps that an object was deleted */
  tombstones: string;
  /** Where its NATS is */
  url: string;
}

export interface Preview {
  /** The events that the first load would publish of these rows */
  events: { [name: string]: unknown }[];
  filter: FilterTrial;
  partner: string;
  /** Why the share would be refused as it is, though nothing is wrong with the request; absent: it would not be */
  refused?: string;
  /** Up to ten rows exactly as the partner would see them */
  sample: { [name: string]: unknown }[];
  /** JSON Schema of a row's after */
  schema: { [name: string]: unknown };
  sheet: string;
}

export interface Previews {
  shares: Preview[];
}

export interface ProposedWrite {
  /** Of update and delete: what the partner takes the row for, by field. Absent: what it is */
  expect?: { [name: string]: unknown };
  op: "update" | "create" | "delete";
  /** Of update and delete; a row's id: digits, in a string */
  row?: string;
  /** Of update and create: the values, by field, as events have them */
  set?: { [name: string]: unknown };
}

export interface Published {
  /** The event is as the partner gets it; false: without what is in cells, for a read-only token */
  cells: boolean;
  /** The CloudEvent, as the partner gets it */
  event: { [name: string]: unknown };
  kind: "row" | "attachment" | "comment" | "write" | "schema" | "status";
  partner: string;
  /** In the partner's stream */
  sequence: string;
  /** The partner's name for the sheet */
  sheet: string;
}

export interface Reader {
  /** Name of the durable consumer; null: all that these credentials read without one: with other consumers, direct gets and live subscriptions */
  consumer: string | null;
  /** Name of those that made the consumer, or read; null: not known, such as at another NATS */
  credentials: string | null;
  /** Up to where it was given the stream, and when; null: nothing yet, or not by a consumer */
  deliveredTo: {
    /** Of the partner's stream */
    sequence: number;
    time: string;
  } | null;
  /** The durable consumer is there, or the credentials read at this moment */
  present: boolean;
  /** When it last read, or waited for something to read; null: never */
  seenAt: string | null;
  /** Messages that it has still to get; null: not known */
  unread: number | null;
}

export interface Reading {
  /** When its stream was asked. Where it does not answer now, what is remembered is shown */
  at: string;
  /** How far any reader was given the stream; null: none was given anything, as far as is known */
  deliveredTo: {
    /** Of the partner's stream */
    sequence: number;
    time: string;
  } | null;
  /** Its readers, the latest first, those too that are gone since at most 90 days */
  items: Reader[];
  /** Last message of the stream; null: it has none, or does not answer */
  last: {
    /** Of the partner's stream */
    sequence: number;
    time: string;
  } | null;
  /** It has read nothing for longer than notReadingAfter, and there was something */
  notReading: boolean;
  /** SHEETBRIDGE_NOT_READING_AFTER; 0s: nobody is told */
  notReadingAfter: string;
  partner: string;
  /** When it last read, or waited for something to read; null: never, as far as is known */
  seenAt: string | null;
  /** Since when something that it was not given waits for it; null: nothing does, or it reads at this moment */
  unreadSince: string | null;
}

export interface Report {
  /** What is wrong, the first hundred */
  broken: Broken[];
  /** How many there are */
  entries: number;
  /** SHA-256 of the last one */
  hash: string;
  /** No entry was changed, left out or slipped in */
  intact: boolean;
  /** Of the last one */
  sequence: number;
}

export interface Share {
  /** What where names of the partner's attributes */
  attributes?: { [name: string]: string };
  columns: Column[];
  /** How far the partner's stream is complete; null: not yet, or unknown */
  completeTo: {
    /** When it had that version */
    time: string;
    /** Of the sheet */
    version: number;
  } | null;
  /** What where said of the rows when all were last read; absent: no filter, or not known yet */
  filter?: FilterResult;
  /** A where that cannot be evaluated on any row was agreed to */
  filterMayFail?: boolean;
  kinds: string[];
  partner: string;
  /** How far the load of the share is; null: it is not being loaded, or by another replica */
  progress: {
    /** Rows that were compared */
    done: number;
    /** Rows that the sheet has */
    of: number;
  } | null;
  reason?: string;
  /** Counts its changes from 1 */
  revision: number;
  sheet: string;
  /** How many columns the sheet had when the share was made or changed */
  sheetColumns?: number;
  /** As the partner was told, or stale where the bridge cannot publish to it, as in a full stream; unknown: its stream could not be read now */
  state: "loading" | "live" | "stale" | "suspended" | "ended" | "unknown";
  /** When it ends by itself; absent: never */
  until?: string;
  where?: string;
  /** What the partner may have changed of the sheet; absent: nothing */
  write?: WriteTerms;
}

export interface ShareDefinition {
  columns: Column[];
  kinds: string[];
  /** In whose name the sheet is read */
  owner: string;
  /** When it ends by itself; absent: never */
  until?: string;
  where?: string;
  /** What the partner may have changed of the sheet; absent: nothing */
  write?: WriteTerms;
}

export interface SharePreview {
  /** What the partner's consumers would lose, which needs breaking */
  breaking: string[];
  /** Nothing would change */
  same: boolean;
  /** The share as it would be */
  share: ShareDefinition;
}

export interface SharedSheet {
  name: string;
  /** What the user may do with it; empty: it cannot be read at the moment */
  permission: string;
  sheetId: string;
  /** Partners */
  with: string[];
  /** Partners whose writes are made in the user's name, for which it has to be EDITOR; the token itself may then change all of the sheet */
  writes: string[];
}

export interface Sheet {
  id: string;
  name: string;
  /** OWNER, ADMIN, EDITOR_SHARE, EDITOR, COMMENTER or VIEWER */
  permission: string;
}

export interface SheetColumn {
  /** The field's name, unless a share gives it another */
  as: string;
  id: string;
  primary: boolean;
  /** Why no share can let its partner write it; absent: one can */
  readOnly?: string;
  /** Up to three values that differ, of the first rows, as an event would have them. A read-only token gets none */
  samples: unknown[];
  /** What Smartsheet itself writes into it */
  system?: string;
  title: string;
  type: string;
}

export interface SheetColumns {
  items: SheetColumn[];
  name: string;
  /** How many the sheet has */
  rows: number;
  sheetId: string;
  version: number;
}

export interface TriedRow {
  /** Why the filter cannot be evaluated on it */
  error?: string;
  /** What the partner would see of it, if it were shown */
  fields: { [name: string]: unknown };
  number: number;
  /** Its id */
  row: string;
}

export interface Webhook {
  /** Hints that wait to be worked off; null: unknown */
  backlog: number | null;
  /** Where Smartsheet calls. Its last part is a secret and shown in the answer to POST alone; null where the sheet is polled */
  callbackUrl: string | null;
  createdAt: string;
  /** Ours */
  id: string;
  /** When Smartsheet last called with success, by its own count. It is asked every half of SHEETBRIDGE_RECONCILE_EVERY, so a newer callback may be missing here; null: none known */
  lastCallback: string | null;
  /** When a share was last found to be complete; null: not yet, or unknown */
  lastReconcile: string | null;
  owner: string;
  /** Why it is disabled, in Smartsheet's words */
  reason?: string;
  shares: Share[];
  sheetId: string;
  sheetName: string;
  /** The newest version of the sheet that a share is complete to; null: none yet, or unknown */
  sheetVersion: number | null;
  /** Of the webhook at Smartsheet, or POLLING */
  status: string;
  /** After a registration: what the owner's token can do and need not */
  warnings?: string[] | null;
  /** Smartsheet's; null where the sheet is polled */
  webhookId: string | null;
}

export interface WriteExplanation {
  /** The call of the first step that has one */
  action?: Action;
  /** Of the refusal, as the partner would get it */
  code?: string;
  /** With conflict: the row as the share shows it */
  current?: { [name: string]: unknown };
  /** Why it would be refused, as the partner would get it */
  detail?: string;
  /** What the refusal is about; absent: the whole write */
  field?: string;
  partner: string;
  /** done: it would be written. already: the row is so */
  result: "done" | "already" | "refused";
  /** Its id; absent: a new one */
  row?: string;
  sheet: string;
  sheetId: string;
  /** What to do, where something is to be done */
  steps: string[];
  /** In one sentence */
  verdict: string;
  /** Of the sheet when it was read; absent: the share's terms alone tell */
  version?: number;
  /** The owner in whose name it would be written */
  writer?: string;
}

export interface WriteTerms {
  /** CEL over the fields, unmasked, as they are after the write; default: anything */
  check?: string;
  /** Which rows may be added; default: none */
  create?: CreateTerms;
  /** Rows that the partner sees may be deleted */
  delete?: boolean;
  /** A row may leave the partner's view by a write */
  leaveView?: boolean;
  /** In whose name is written; default: the registration's owner */
  owner?: string;
  /** Writes in a minute; default: 60 */
  perMinute?: number;
  /** Fields that may be set in rows that the partner sees */
  update?: string[];
}

export const calls = {
  addOwner: ["POST", "/v1/owners", "Add an owner"],
  addPartner: ["POST", "/v1/partners", "Add a partner"],
  authorizeOwner: ["POST", "/v1/owners/{name}/authorize", "Ask an owner to consent"],
  changePartner: ["PATCH", "/v1/partners/{name}", "Change a partner's limits, history, tombstones, sources or attributes"],
  changeShare: ["PUT", "/v1/webhooks/{id}/shares/{partner}/{sheet}", "Change a share"],
  deleteOwner: ["DELETE", "/v1/owners/{name}", "Remove an owner"],
  deletePartner: ["DELETE", "/v1/partners/{name}", "Remove a partner"],
  deleteWebhook: ["DELETE", "/v1/webhooks/{id}", "End a sheet's shares"],
  enableWebhook: ["POST", "/v1/webhooks/{id}/enable", "Enable the webhook now"],
  endShare: ["DELETE", "/v1/webhooks/{id}/shares/{partner}/{sheet}", "End a share"],
  eraseRow: ["POST", "/v1/webhooks/{id}/shares/{partner}/{sheet}/erase", "Erase a row from a partner's stream"],
  examine: ["GET", "/v1/doctor", "Examine the bridge"],
  explainRow: ["GET", "/v1/webhooks/{id}/shares/{partner}/{sheet}/rows/{row}/explain", "Explain why a row was sent or not"],
  explainWrite: ["POST", "/v1/webhooks/{id}/shares/{partner}/{sheet}/explain-write", "Explain whether a write would be allowed"],
  followEvents: ["GET", "/v1/events", "Follow what is published"],
  getContract: ["GET", "/v1/partners/{name}/contract", "Get what a partner gets, as AsyncAPI"],
  getOverview: ["GET", "/v1/overview", "Show how everything stands"],
  getOwner: ["GET", "/v1/owners/{name}", "Get an owner"],
  getOwnerAccess: ["GET", "/v1/owners/{name}/access", "Compare what an owner can reach with what is shared"],
  getPartner: ["GET", "/v1/partners/{name}", "Get a partner"],
  getReading: ["GET", "/v1/partners/{name}/reading", "Show how far a partner has read"],
  getWebhook: ["GET", "/v1/webhooks/{id}", "Get a shared sheet"],
  invite: ["POST", "/v1/partners/{name}/invitations", "Invite a partner"],
  listAudit: ["GET", "/v1/audit", "List who did what"],
  listCredentials: ["GET", "/v1/partners/{name}/credentials", "List a partner's credentials"],
  listDead: ["GET", "/v1/dead", "List the hints that were given up"],
  listInvitations: ["GET", "/v1/partners/{name}/invitations", "List a partner's invitations"],
  listKeys: ["GET", "/v1/keys", "List the keys"],
  listOwnerSheets: ["GET", "/v1/owners/{name}/sheets", "List the sheets that an owner can read"],
  listOwners: ["GET", "/v1/owners", "List the owners"],
  listPartners: ["GET", "/v1/partners", "List the partners"],
  listSheetColumns: ["GET", "/v1/owners/{name}/sheets/{id}/columns", "List the columns of a sheet"],
  listWebhooks: ["GET", "/v1/webhooks", "List the shared sheets"],
  makeCredentials: ["POST", "/v1/partners/{name}/credentials", "Make credentials for a partner"],
  reconcileWebhook: ["POST", "/v1/webhooks/{id}/reconcile", "Compare the whole sheet now"],
  registerSheet: ["POST", "/v1/webhooks", "Share a sheet"],
  removeContact: ["DELETE", "/v1/partners/{name}/contact", "Tell a partner nothing any more"],
  replaceOwnerToken: ["PUT", "/v1/owners/{name}/token", "Replace an owner's token"],
  resendShare: ["POST", "/v1/webhooks/{id}/shares/{partner}/{sheet}/resend", "Publish a share again"],
  retryDead: ["POST", "/v1/dead/{id}/retry", "Try a hint again"],
  revokeCredentials: ["DELETE", "/v1/partners/{name}/credentials/{credentials}", "Revoke a partner's credentials"],
  rotateKeys: ["POST", "/v1/keys/rotate", "Replace the key"],
  rotateMasterKey: ["POST", "/v1/keys/rotate-master", "Bring everything under the new master key"],
  rotateSecret: ["POST", "/v1/webhooks/{id}/rotate-secret", "Replace the shared secret now"],
  setContact: ["PUT", "/v1/partners/{name}/contact", "Say where a partner is told what concerns it"],
  verifyAudit: ["GET", "/v1/audit/verify", "Verify the audit log"],
  withdrawInvitation: ["DELETE", "/v1/partners/{name}/invitations/{id}", "Withdraw an invitation"],
} as const;

export interface Calls {
  addOwner: { path: {}; query: {}; body: NewOwner; answer: Owner };
  addPartner: { path: {}; query: { dryRun?: boolean }; body: NewPartner; answer: Partner | MadePartner };
  authorizeOwner: { path: { name: string }; query: {}; body: undefined; answer: Owner };
  changePartner: { path: { name: string }; query: { dryRun?: boolean }; body: NewTerms; answer: Partner };
  changeShare: { path: { id: string; partner: string; sheet: string }; query: { dryRun?: boolean; attributes?: string }; body: NewShareDefinition; answer: Share | SharePreview };
  deleteOwner: { path: { name: string }; query: {}; body: undefined; answer: undefined };
  deletePartner: { path: { name: string }; query: {}; body: undefined; answer: undefined };
  deleteWebhook: { path: { id: string }; query: {}; body: undefined; answer: Accepted };
  enableWebhook: { path: { id: string }; query: {}; body: undefined; answer: Accepted };
  endShare: { path: { id: string; partner: string; sheet: string }; query: {}; body: undefined; answer: undefined };
  eraseRow: { path: { id: string; partner: string; sheet: string }; query: {}; body: EraseRow; answer: Accepted };
  examine: { path: {}; query: {}; body: undefined; answer: Diagnosis };
  explainRow: { path: { id: string; partner: string; sheet: string; row: string }; query: {}; body: undefined; answer: Explanation };
  explainWrite: { path: { id: string; partner: string; sheet: string }; query: {}; body: ProposedWrite; answer: WriteExplanation };
  followEvents: { path: {}; query: { partner?: string; sheet?: string; kind?: ("row" | "attachment" | "comment" | "write" | "schema" | "status")[] | null; since?: string; limit?: number }; body: undefined; answer: undefined };
  getContract: { path: { name: string }; query: {}; body: undefined; answer: { [name: string]: unknown } };
  getOverview: { path: {}; query: {}; body: undefined; answer: Overview };
  getOwner: { path: { name: string }; query: {}; body: undefined; answer: Owner };
  getOwnerAccess: { path: { name: string }; query: {}; body: undefined; answer: Access };
  getPartner: { path: { name: string }; query: {}; body: undefined; answer: Partner };
  getReading: { path: { name: string }; query: {}; body: undefined; answer: Reading };
  getWebhook: { path: { id: string }; query: {}; body: undefined; answer: Webhook };
  invite: { path: { name: string }; query: {}; body: NewInvitation; answer: MadeInvitation };
  listAudit: { path: {}; query: { limit?: number; before?: number }; body: undefined; answer: ListAuditEntry };
  listCredentials: { path: { name: string }; query: {}; body: undefined; answer: ListCredentials };
  listDead: { path: {}; query: { limit?: number }; body: undefined; answer: ListDead };
  listInvitations: { path: { name: string }; query: {}; body: undefined; answer: ListInvitation };
  listKeys: { path: {}; query: {}; body: undefined; answer: Keys };
  listOwnerSheets: { path: { name: string }; query: { folderId?: string; workspaceId?: string }; body: undefined; answer: ListSheet };
  listOwners: { path: {}; query: {}; body: undefined; answer: ListOwner };
  listPartners: { path: {}; query: {}; body: undefined; answer: ListPartner };
  listSheetColumns: { path: { name: string; id: string }; query: {}; body: undefined; answer: SheetColumns };
  listWebhooks: { path: {}; query: {}; body: undefined; answer: ListWebhook };
  makeCredentials: { path: { name: string }; query: {}; body: NewCredentials; answer: MadeCredentials };
  reconcileWebhook: { path: { id: string }; query: {}; body: undefined; answer: Accepted };
  registerSheet: { path: {}; query: { dryRun?: boolean; newPartners?: string[]; attributes?: string }; body: NewWebhook; answer: Webhook | Previews | Webhook };
  removeContact: { path: { name: string }; query: {}; body: undefined; answer: undefined };
  replaceOwnerToken: { path: { name: string }; query: {}; body: NewToken; answer: Owner };
  resendShare: { path: { id: string; partner: string; sheet: string }; query: {}; body: undefined; answer: Accepted };
  retryDead: { path: { id: string }; query: {}; body: undefined; answer: Accepted };
  revokeCredentials: { path: { name: string; credentials: string }; query: {}; body: undefined; answer: undefined };
  rotateKeys: { path: {}; query: {}; body: undefined; answer: Keys };
  rotateMasterKey: { path: {}; query: {}; body: undefined; answer: MasterKey };
  rotateSecret: { path: { id: string }; query: {}; body: undefined; answer: Accepted };
  setContact: { path: { name: string }; query: {}; body: NewContact; answer: MadeContact };
  verifyAudit: { path: {}; query: {}; body: undefined; answer: Report };
  withdrawInvitation: { path: { name: string; id: string }; query: {}; body: undefined; answer: undefined };
}
